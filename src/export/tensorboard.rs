//! Event files that TensorBoard reads: one run per cell, with its parameters as hyperparameters.
//!
//! An event file is a row of records: length, masked CRC-32C of the length, data, masked CRC-32C of the data
//! (`tensorflow/core/lib/io/record_writer.h`). The data are protocol buffers (`event.proto`,
//! `summary.proto`, and `api.proto` of the plugin for hyperparameters), of which only a few fields are used;
//! their numbers are beside the code. Records have no clock times, so the time of an event is its place in the
//! training, in seconds.

use super::protobuf::Message;
use super::scores::values;
use crate::analysis::Summary;
use crate::record::{CellRecord, EpochRecord, Outcome};

/// Name of every event file; TensorBoard looks for `tfevents`.
const FILE: &str = "events.out.tfevents.0000000000.ablate";

/// Plugin of TensorBoard for hyperparameters.
const PLUGIN: &str = "hparams";

/// The event file of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFile {
    /// Its path below the folder for TensorBoard, with `/`.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A value of a hyperparameter.
enum Parameter<'a> {
    Number(f64),
    Text(&'a str),
    Flag(bool),
}

/// The event files of all cells, in the order of the records.
pub fn event_files(summary: &Summary, records: &[CellRecord]) -> Vec<EventFile> {
    let file = |record: &CellRecord| {
        let rate = record
            .learning_rate
            .map_or(String::new(), |rate| format!("-rate-{rate}"));
        EventFile {
            path: format!(
                "{}/{}/seed-{}{rate}/{FILE}",
                summary.name, record.arm, record.seed
            ),
            bytes: events(summary, record),
        }
    };
    records.iter().map(file).collect()
}

fn events(summary: &Summary, record: &CellRecord) -> Vec<u8> {
    let mut out = Vec::new();
    let mut first = event(0);
    first.text(3, "brain.Event:2");
    write_record(&mut out, &first.0);
    write_record(&mut out, &start(&parameters(summary, record)));
    for (index, epoch) in record.epochs.iter().enumerate() {
        let mut all: Vec<(String, f64)> = (values(epoch).into_iter())
            .map(|(split, name, value)| (format!("{split}/{name}"), value))
            .collect();
        for name in record.traces.keys() {
            let value = record.after_epoch(name, index);
            all.extend(value.map(|value| (format!("probe/{name}"), value)));
        }
        if index + 1 == record.epochs.len() {
            let probes = record.probes.iter();
            all.extend(probes.map(|(name, &value)| (format!("probe/{name}"), value)));
        }
        write_record(&mut out, &scalars(epoch, &all));
    }
    write_record(&mut out, &end(record));
    out
}

/// Hyperparameters of a cell by name.
fn parameters<'a>(summary: &'a Summary, record: &'a CellRecord) -> Vec<(&'a str, Parameter<'a>)> {
    let mut all = vec![
        ("experiment", Parameter::Text(summary.name.as_str())),
        ("arm", Parameter::Text(&record.arm)),
        ("seed", Parameter::Number(record.seed as f64)),
        ("device", Parameter::Text(&record.device)),
        ("chosen", Parameter::Flag(summary.has_chosen(record))),
    ];
    let rate = record.learning_rate.map(Parameter::Number);
    all.extend(rate.map(|rate| ("learning_rate", rate)));
    if let Some(arm) = summary.arm(&record.arm) {
        let levels = summary.factors.iter().zip(&arm.levels);
        all.extend(levels.map(|(factor, &level)| {
            (
                factor.name.as_str(),
                Parameter::Text(&factor.levels[level].name),
            )
        }));
    }
    all
}

/// Event with `wall_time = 1` and `step = 2`.
fn event(step: usize) -> Message {
    let mut event = Message::default();
    event.double(1, step as f64);
    event.number(2, step as u64);
    event
}

/// Event with one `Summary.Value` per score: `tag = 1`, `simple_value = 2`.
fn scalars(epoch: &EpochRecord, all: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Message::default();
    for (tag, number) in all {
        let mut value = Message::default();
        value.text(1, tag);
        value.float(2, *number as f32);
        summary.message(1, &value);
    }
    let mut event = event(epoch.place());
    event.message(5, &summary);
    event.0
}

/// The start of a session: `HParamsPluginData.session_start_info = 3` with `hparams = 1`,
/// `group_name = 4`.
fn start(parameters: &[(&str, Parameter<'_>)]) -> Vec<u8> {
    let mut info = Message::default();
    for (name, parameter) in parameters {
        // google.protobuf.Value: number_value = 2, string_value = 3, bool_value = 4.
        let mut value = Message::default();
        match parameter {
            Parameter::Number(number) => value.double(2, *number),
            Parameter::Text(text) => value.text(3, text),
            Parameter::Flag(flag) => value.number(4, u64::from(*flag)),
        }
        let mut entry = Message::default();
        entry.text(1, name);
        entry.message(2, &value);
        info.message(1, &entry);
    }
    let mut data = Message::default();
    data.message(3, &info);
    session("_hparams_/session_start_info", &data, 0)
}

/// The end of a session: `HParamsPluginData.session_end_info = 4` with `status = 1` (1 is success, 2 failure).
fn end(record: &CellRecord) -> Vec<u8> {
    let mut info = Message::default();
    info.number(
        1,
        if record.outcome == Outcome::Done {
            1
        } else {
            2
        },
    );
    let mut data = Message::default();
    data.message(4, &info);
    let last = record.epochs.last().map_or(0, EpochRecord::place);
    session("_hparams_/session_end_info", &data, last)
}

/// Event with `HParamsPluginData` in the metadata of a value, beside an empty tensor.
fn session(tag: &str, data: &Message, step: usize) -> Vec<u8> {
    let mut plugin = Message::default();
    plugin.text(1, PLUGIN);
    plugin.message(2, data);
    let mut metadata = Message::default();
    metadata.message(1, &plugin);
    // TensorProto: dtype = 1 (1 is float), tensor_shape = 2 with dim = 2 and its size = 1, float_val = 5.
    let (mut dimension, mut shape, mut tensor) = <(Message, Message, Message)>::default();
    dimension.number(1, 1);
    shape.message(2, &dimension);
    tensor.number(1, 1);
    tensor.message(2, &shape);
    tensor.float(5, 0.0);
    let mut value = Message::default();
    value.text(1, tag);
    value.message(8, &tensor);
    value.message(9, &metadata);
    let mut summary = Message::default();
    summary.message(1, &value);
    let mut event = event(step);
    event.message(5, &summary);
    event.0
}

fn write_record(out: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked(crc32c(&length)).to_le_bytes());
    out.extend(data);
    out.extend(masked(crc32c(data)).to_le_bytes());
}

/// The form in which event files hold a checksum.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bytes reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    let next = |crc: u32, byte: &u8| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)];
    !bytes.iter().fold(!0, next)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{records, summary};
    use super::*;
    use std::collections::BTreeMap;

    /// Values of RFC 3720, appendix B.4.
    #[test]
    fn checksum_matches_published_values() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// The first bytes of event files that TensorFlow writes: a record of 24 bytes.
    #[test]
    fn records_start_as_those_of_tensorflow() {
        let mut file = Vec::new();
        write_record(&mut file, &[0; 24]);
        assert_eq!(file[..12], *b"\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22");
    }

    /// A field of a protocol buffer that was read.
    #[derive(Debug, PartialEq)]
    enum Value<'a> {
        Number(u64),
        Double(f64),
        Bytes(&'a [u8]),
        Float(f32),
    }

    /// Reads the fields of a protocol buffer, by the published encoding.
    fn fields(mut data: &[u8]) -> Vec<(u64, Value<'_>)> {
        fn varint(data: &mut &[u8]) -> u64 {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = data[0];
                *data = &data[1..];
                value |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    return value;
                }
            }
        }
        let mut all = Vec::new();
        while !data.is_empty() {
            let key = varint(&mut data);
            let value = match key & 7 {
                0 => Value::Number(varint(&mut data)),
                kind => {
                    let length = match kind {
                        1 => 8,
                        5 => 4,
                        _ => varint(&mut data) as usize,
                    };
                    let (bytes, rest) = data.split_at(length);
                    data = rest;
                    match kind {
                        1 => Value::Double(f64::from_le_bytes(bytes.try_into().unwrap())),
                        5 => Value::Float(f32::from_le_bytes(bytes.try_into().unwrap())),
                        _ => Value::Bytes(bytes),
                    }
                }
            };
            all.push((key >> 3, value));
        }
        all
    }

    fn inner<'a>(fields: &[(u64, Value<'a>)], number: u64) -> Vec<&'a [u8]> {
        let of_number = fields.iter().filter(|(field, _)| *field == number);
        of_number
            .map(|(_, value)| match value {
                Value::Bytes(bytes) => *bytes,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// The data of every record of a file, whose checksums are right.
    fn read(mut file: &[u8]) -> Vec<&[u8]> {
        let mut all = Vec::new();
        while !file.is_empty() {
            let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            let sum = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            assert_eq!(sum(8), masked(crc32c(&file[..8])));
            let data = &file[12..12 + length];
            assert_eq!(sum(12 + length), masked(crc32c(data)));
            all.push(data);
            file = &file[16 + length..];
        }
        all
    }

    #[test]
    fn files_hold_every_scalar_of_a_cell() {
        let (summary, records) = (summary(), records());
        let files = event_files(&summary, &records);
        assert_eq!(files.len(), records.len());
        let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), files.len());
        for (file, record) in files.iter().zip(&records) {
            let events = read(&file.bytes);
            assert_eq!(events.len(), record.epochs.len() + 3);
            assert_eq!(inner(&fields(events[0]), 3), [b"brain.Event:2"]);
            for (event, epoch) in events[2..].iter().zip(&record.epochs) {
                let event = fields(event);
                assert_eq!(event[0], (1, Value::Double(epoch.place() as f64)));
                assert_eq!(event[1], (2, Value::Number(epoch.place() as u64)));
                let mut found = BTreeMap::new();
                for value in inner(&fields(inner(&event, 5)[0]), 1) {
                    let value = fields(value);
                    let tag = String::from_utf8(inner(&value, 1)[0].to_vec()).unwrap();
                    let Value::Float(number) = value[1].1 else {
                        panic!()
                    };
                    found.insert(tag, number);
                }
                for (split, name, number) in values(epoch) {
                    assert_eq!(
                        found.get(&format!("{split}/{name}")),
                        Some(&(number as f32))
                    );
                }
            }
        }
    }

    #[test]
    fn parameters_of_a_cell_are_its_hyperparameters() {
        let (summary, records) = (summary(), records());
        let files = event_files(&summary, &records);
        let start = read(&files[0].bytes)[1];
        let value = fields(inner(&fields(inner(&fields(start), 5)[0]), 1)[0]);
        assert_eq!(inner(&value, 1), [b"_hparams_/session_start_info"]);
        let plugin = fields(inner(&fields(inner(&value, 9)[0]), 1)[0]);
        assert_eq!(inner(&plugin, 1), [b"hparams"]);
        let info = fields(inner(&fields(inner(&plugin, 2)[0]), 3)[0]);
        let found: BTreeMap<&str, Value<'_>> = inner(&info, 1)
            .into_iter()
            .map(|entry| {
                let entry = fields(entry);
                let name = std::str::from_utf8(inner(&entry, 1)[0]).unwrap();
                (name, fields(inner(&entry, 2)[0]).remove(0).1)
            })
            .collect();
        assert_eq!(found["arm"], Value::Bytes(records[0].arm.as_bytes()));
        assert_eq!(found["seed"], Value::Double(records[0].seed as f64));
        let rate = records[0].learning_rate.unwrap();
        assert_eq!(found["learning_rate"], Value::Double(rate));
    }
}
