//! Conversion of a parsed document to a checked spec.

use crate::recipe::{DataConfig, NetRecipe, Probe, Recipe};
use crate::spec::design::claims::Claims;
use crate::spec::design::crossing::{Cell, Crossing};
use crate::spec::design::idle_probes;
use crate::spec::design::weights::Design;
use crate::spec::parse::checks;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::extends::EXTENDS;
use crate::spec::parse::merge::merge;
use crate::spec::parse::node::{Node, Value};
use crate::spec::parse::overrides::Override;
use crate::spec::parse::reader::read;
use crate::spec::registry::Registry;
use crate::spec::resolved::Resolved;
use crate::spec::schema::assemble::Parts;
use crate::spec::schema::program::{self, PROGRAM, SET};
use crate::spec::schema::tables::{
    ArmTable, Document, NetTables, PublishedTable, SetTable, TrainTable,
};
use crate::spec::schema::validate;
use crate::spec::{Arm, CLAIMS_FILE, Changes, ProgramDesign, Published, Source, Spec};
use ablate_models::ConfigError;
use ablate_models::zoo::{ModelConfig, PRESETS};
use std::mem::take;
use std::path::Path;

/// The checked spec of the file `root` with `overrides`.
///
/// # Errors
/// At the first mistake.
pub(in crate::spec) fn build(
    registry: &Registry,
    claims: Option<&Claims>,
    name: &str,
    path: &Path,
    root: &Node,
    overrides: &[Override],
) -> Result<Spec, Diagnostic> {
    let prepared = Prepared::new(name, path, root, overrides)?;
    let folder = prepared.folder(path).to_owned();
    let Prepared {
        root,
        name,
        resolved,
        overrides,
    } = prepared;
    let mut document: Document = read(&root)?;
    let program = match program::is_program(&root) {
        true => Some(program::design(&root)?),
        false => {
            check_base(registry, &root)?;
            None
        }
    };
    let seeds = document.seeds();
    let factors = take(&mut document.factors);
    let crossing = Crossing::new(&root, factors, &document.exclude)?;
    let base = Base {
        registry,
        root: &root,
        folder: &folder,
        overrides: &overrides,
        program: program.as_ref(),
    };
    let arms = base.arms(&crossing, take(&mut document.arms))?;
    validate::arm_names(&arms).map_err(|error| locate(&root, &error))?;
    let design = Design {
        crossing: &crossing,
        arms: &arms,
        program: program.as_ref(),
        claim: document.claim.as_deref(),
    };
    let written = root.get("contrasts").map_or(&[][..], Node::items);
    let names = document.contrasts.iter().map(|table| table.name.as_str());
    validate::contrast_names(names).map_err(|error| locate(&root, &error))?;
    let contrasts = (take(&mut document.contrasts).into_iter().zip(written))
        .map(|(table, node)| design.contrast(table, node))
        .collect::<Result<_, _>>()?;
    let written = root.get("published").map_or(&[][..], Node::items);
    let published = (take(&mut document.published).into_iter().zip(written))
        .map(|(table, node)| published(&design, table, node))
        .collect::<Result<_, _>>()?;
    let figure = match (document.figure.take(), root.get("figure")) {
        (Some(table), Some(node)) => Some(design.figure(table, node)?),
        _ => None,
    };
    let parts = Parts {
        name,
        path: path.to_owned(),
        seeds: seeds.map_err(|error| locate(&root, &error))?,
        factors: crossing.factors,
        arms,
        contrasts,
        published,
        figure,
        program,
    };
    let spec = Spec {
        changes: Changes {
            set: overrides.iter().map(Override::to_string).collect(),
            seeds_in_file: resolved.seeds_in_file,
            device: resolved.device,
            ..Changes::default()
        },
        ..document.into_spec(parts)
    };
    validate::spec(&spec).map_err(|error| locate(&root, &error))?;
    if let Some(claims) = claims {
        claims.check(&spec).map_err(|error| locate(&root, &error))?;
    }
    check_probes(&root, &spec.arms)?;
    Ok(Spec {
        source: Source::new(root, resolved.file),
        ..spec
    })
}

/// A file before its tables are read: with the changes of the command line, and without the table `resolved`.
pub(in crate::spec) struct Prepared {
    pub(in crate::spec) root: Node,
    /// Name of the experiment.
    pub(in crate::spec) name: String,
    pub(in crate::spec) resolved: Resolved,
    /// All changes except those of the seeds.
    pub(in crate::spec) overrides: Vec<Override>,
}

impl Prepared {
    pub(in crate::spec) fn new(
        name: &str,
        path: &Path,
        root: &Node,
        overrides: &[Override],
    ) -> Result<Self, Diagnostic> {
        let mut root = root.clone();
        let resolved = Resolved::take(&mut root, path)?;
        let name = resolved.name.as_deref().unwrap_or(name).to_owned();
        if !checks::is_name(&name) {
            return Err(Diagnostic::said(
                "the name of a spec file must be lower-case letters, digits and `-`, as in \
                 `bn-bias.toml`",
            ));
        }
        if CLAIMS_FILE.strip_suffix(".toml") == Some(name.as_str()) {
            return Err(Diagnostic::said(
                "is the name of the file of claims; rename the experiment",
            ));
        }
        if let Some(extends) = root.get(EXTENDS) {
            let message = "names another file, which only a spec in a file can have";
            return Err(Diagnostic::said(message).at(&extends.origin));
        }
        for set in overrides {
            merge(&mut root, set.node().clone());
        }
        let all = resolved.overrides.iter().chain(overrides);
        let overrides = all.filter(|set| !set.sets_seeds()).cloned().collect();
        Ok(Self {
            root,
            name,
            resolved,
            overrides,
        })
    }

    /// Folder of the experiment's file; `path` is the file that was read.
    pub(in crate::spec) fn folder<'a>(&'a self, path: &'a Path) -> &'a Path {
        let file = self.resolved.file.as_deref().unwrap_or(path);
        file.parent().unwrap_or(Path::new(""))
    }
}

/// Reads the published result that stands at `node`.
pub(in crate::spec) fn published(
    design: &Design<'_>,
    table: PublishedTable,
    node: &Node,
) -> Result<Published, Diagnostic> {
    Ok(Published {
        metric: design.metric(table.metric.as_deref(), node)?,
        arm: table.arm,
        source: table.source,
        place: table.place,
        value: table.value,
        sd: table.sd,
        n: table.n,
        when: table.when.0,
    })
}

/// What all arms of a file share.
pub(in crate::spec) struct Base<'a> {
    pub(in crate::spec) registry: &'a Registry,
    pub(in crate::spec) root: &'a Node,
    /// Folder of the file.
    pub(in crate::spec) folder: &'a Path,
    pub(in crate::spec) overrides: &'a [Override],
    pub(in crate::spec) program: Option<&'a ProgramDesign>,
}

impl Base<'_> {
    /// Arms: the combinations of the factors, then those that are written out.
    fn arms(&self, crossing: &Crossing, tables: Vec<ArmTable>) -> Result<Vec<Arm>, Diagnostic> {
        let cells = crossing.cells().count();
        validate::arm_count(cells + tables.len()).map_err(|error| locate(self.root, &error))?;
        let mut arms = Vec::new();
        for cell in crossing.cells() {
            let arm = self.arm(&cell);
            arms.push(arm.map_err(|fault| crossing.blame(fault).in_arm(&cell.name))?);
        }
        let written = self.root.get("arms").map_or(&[][..], Node::items);
        for (table, node) in tables.into_iter().zip(written) {
            if self.program.is_none() {
                only_nets(node, table.args.is_some())?;
            }
            let own = self.own(node);
            let cell = written_out(table, &own);
            arms.push(self.arm(&cell).map_err(|fault| fault.in_arm(&cell.name))?);
        }
        Ok(arms)
    }

    /// What the arm at `node` sets. A program's values stand below `set`, a net's keys beside each other.
    pub(in crate::spec) fn own(&self, node: &Node) -> Option<Node> {
        node.get(SET).map(|set| match self.program {
            Some(_) => below_set(set),
            None => set.clone(),
        })
    }

    fn arm(&self, cell: &Cell<'_>) -> Result<Arm, Diagnostic> {
        self.read(&self.merged(cell), cell)
    }

    /// The tables of one arm, merged.
    pub(in crate::spec) fn merged(&self, cell: &Cell<'_>) -> Node {
        let keys = match self.program {
            Some(_) => &[PROGRAM, SET][..],
            None => &["data", "model", "train", "probes"],
        };
        let base =
            (keys.iter()).filter_map(|&key| Some((key.to_owned(), self.root.get(key)?.clone())));
        let mut merged = Node::root(base.collect());
        for &node in &cell.nodes {
            merge(&mut merged, node.clone());
        }
        for set in self.overrides {
            merge(&mut merged, set.node().clone());
        }
        merged
    }

    /// Reads and checks one arm from its merged tables.
    pub(in crate::spec) fn read(&self, merged: &Node, cell: &Cell<'_>) -> Result<Arm, Diagnostic> {
        match self.program {
            Some(design) => program::arm(self.folder, merged, cell, design),
            None => net(self.registry, merged, cell),
        }
    }
}

/// The arm of `table`, which is written out and sets `own`.
pub(in crate::spec) fn written_out(table: ArmTable, own: &Option<Node>) -> Cell<'_> {
    Cell {
        label: table.label.unwrap_or_else(|| table.name.clone()),
        name: table.name,
        levels: Vec::new(),
        nodes: own.iter().collect(),
        args: table.args.unwrap_or_default(),
    }
}

/// The arm of `cell`, a net whose tables are `merged`.
fn net(registry: &Registry, merged: &Node, cell: &Cell<'_>) -> Result<Arm, Diagnostic> {
    let tables = net_tables(registry, merged)?;
    let (train, learning_rates) = tables.train.into_config(part(merged, "train")?)?;
    let net = NetRecipe {
        data: tables.data,
        model: tables.model,
        train,
        probes: tables.probes,
    };
    validate::net(&net, &learning_rates).map_err(|error| locate(merged, &error))?;
    Ok(Arm {
        name: cell.name.clone(),
        label: cell.label.clone(),
        levels: cell.levels.clone(),
        recipe: Recipe::Net(net),
        learning_rates,
    })
}

fn net_tables(registry: &Registry, merged: &Node) -> Result<NetTables, Diagnostic> {
    Ok(NetTables {
        data: read(part(merged, "data")?)?,
        model: model(registry, part(merged, "model")?)?,
        train: read(part(merged, "train")?)?,
        probes: probes(merged)?,
    })
}

/// Reads the base alone, to find mistyped keys even if every arm replaces their table. Missing keys
/// are no error, because arms may set them.
fn check_base(registry: &Registry, root: &Node) -> Result<(), Diagnostic> {
    fn unless_missing(part: Result<(), Diagnostic>) -> Result<(), Diagnostic> {
        match part {
            Err(fault) if fault.is_missing_key() => Ok(()),
            other => other,
        }
    }
    for key in OF_PROGRAMS {
        not_of_programs(root, key)?;
    }
    for table in BASE_TABLES {
        unless_missing(
            root.get(table)
                .map_or(Ok(()), |node| check_table(registry, table, node)),
        )?;
    }
    Ok(())
}

/// Tables of a net's recipe.
pub(in crate::spec) const BASE_TABLES: [&str; 4] = ["data", "model", "train", "probes"];

/// Tables that only programs have.
pub(in crate::spec) const OF_PROGRAMS: [&str; 2] = [SET, "metrics"];

/// Checks that a file of nets does not have the table `key`, one of [`OF_PROGRAMS`].
pub(in crate::spec) fn not_of_programs(root: &Node, key: &str) -> Result<(), Diagnostic> {
    let message = "belongs to programs, but the file has no `[program]`; remove it";
    match root.get(key) {
        None => Ok(()),
        Some(node) => Err(Diagnostic::said(message).at(&node.origin)),
    }
}

/// Reads one of the [`BASE_TABLES`].
pub(in crate::spec) fn check_table(
    registry: &Registry,
    table: &str,
    node: &Node,
) -> Result<(), Diagnostic> {
    match table {
        "data" => read::<DataConfig>(node).map(drop),
        "model" => model(registry, node).map(drop),
        "train" => read::<TrainTable>(node).map(drop),
        _ => read::<Vec<Probe>>(node).map(drop),
    }
}

/// Checks the keys of an arm or a level of nets, at `node`.
pub(in crate::spec) fn only_nets(node: &Node, has_args: bool) -> Result<(), Diagnostic> {
    if has_args {
        let message =
            "are the arguments of a program, but the file has no `[program]`; remove them";
        return Err(Diagnostic::said(message).at(&node.locate("args")));
    }
    node.get(SET)
        .map_or(Ok(()), |set| read::<SetTable>(set).map(drop))
}

/// The table `set` of an arm or a level of programs, below its key.
pub(in crate::spec) fn below_set(set: &Node) -> Node {
    Node {
        origin: set.origin.clone(),
        value: Value::Table([(SET.to_owned(), set.clone())].into()),
    }
}

fn part<'a>(root: &'a Node, key: &str) -> Result<&'a Node, Diagnostic> {
    root.get(key)
        .ok_or_else(|| Diagnostic::missing_key(key, &[]).at(&root.origin))
}

fn probes(root: &Node) -> Result<Vec<Probe>, Diagnostic> {
    root.get("probes").map_or(Ok(Vec::new()), read)
}

/// Reads a model of a kind in `registry`.
fn model(registry: &Registry, node: &Node) -> Result<ModelConfig, Diagnostic> {
    registry.read(&expand_preset(node, &zoo_presets())?)
}

type Presets = Vec<(&'static str, ModelConfig)>;

fn zoo_presets() -> Presets {
    PRESETS.iter().map(|p| (p.name, p.config())).collect()
}

/// Merges a model table onto the preset that it names, if any.
fn expand_preset(node: &Node, presets: &Presets) -> Result<Node, Diagnostic> {
    let Some(preset) = node.get("preset") else {
        return Ok(node.clone());
    };
    let name: String = read(preset)?;
    if let Some(kind) = node.get("kind") {
        return Err(
            Diagnostic::said("conflicts with `preset`, which sets it; remove one of them")
                .at(&kind.origin),
        );
    }
    let Some((_, config)) = presets.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = presets.iter().map(|(known, _)| *known).collect();
        return Err(Diagnostic::unknown_value(&name, &names).at(&preset.origin));
    };
    let config = toml::Value::try_from(config)
        .map_err(|error| Diagnostic::said(&error.to_string()).at(&preset.origin))?;
    let mut expanded = Node::from_toml(config, &preset.origin);
    expanded.origin = node.origin.clone();
    let mut rest = node.clone();
    rest.take(&["preset"]);
    merge(&mut expanded, rest);
    Ok(expanded)
}

pub(in crate::spec) fn check_probes(root: &Node, arms: &[Arm]) -> Result<(), Diagnostic> {
    let Some((arm, message)) = idle_probes::idle_probe(arms) else {
        return Ok(());
    };
    let cells = arms.iter().filter(|arm| !arm.levels.is_empty()).count();
    let arm = arm.checked_sub(cells);
    let own = arm.map(|arm| format!("arms.{arm}.set.probes"));
    let written = root
        .get("arms")
        .and_then(|arms| arms.items().get(arm?)?.get("set")?.get("probes"));
    let key = own.filter(|_| written.is_some());
    let key = key.as_deref().unwrap_or("probes");
    Err(Diagnostic::said(&message).at(&root.locate(key)))
}

/// A failed check as a diagnostic with a location in `root`.
pub(in crate::spec) fn locate(root: &Node, error: &ConfigError) -> Diagnostic {
    Diagnostic::said(&error.message).at(&root.locate(&error.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_models::mlp::MlpConfig;
    use ablate_models::norm::NormConfig;

    fn presets() -> Presets {
        let norm = ablate_models::norm::BatchNormConfig {
            momentum: 0.01,
            ..Default::default()
        };
        let block = ablate_models::block::BlockConfig {
            norm: NormConfig::Batch(norm),
            ..Default::default()
        };
        let hidden = vec![7, 5];
        vec![(
            "small",
            ModelConfig::Mlp(MlpConfig {
                hidden,
                block,
                last_block: None,
            }),
        )]
    }

    fn expanded(text: &str) -> Result<Node, Diagnostic> {
        let document = Node::document(text)?;
        expand_preset(part(&document, "model")?, &presets())
    }

    fn read_model(node: &Node) -> Result<ModelConfig, Diagnostic> {
        model(&Registry::zoo(), node)
    }

    #[test]
    fn preset_gives_its_configuration() {
        let node = expanded("model.preset = \"small\"").unwrap();
        assert_eq!(read_model(&node).unwrap(), presets()[0].1);
    }

    #[test]
    fn keys_override_the_preset() {
        let text = "[model]\npreset = \"small\"\nhidden = [3]\nblock.norm.center = false";
        let ModelConfig::Mlp(config) = read_model(&expanded(text).unwrap()).unwrap() else {
            panic!("the preset is an MLP");
        };
        assert_eq!(config.hidden, [3]);
        let NormConfig::Batch(norm) = config.block.norm else {
            panic!("the preset has batch norm");
        };
        assert_eq!((norm.center, norm.momentum), (false, 0.01));
    }

    #[test]
    fn mistyped_key_with_a_preset_keeps_its_line() {
        let node = expanded("[model]\npreset = \"small\"\nhiden = [3]").unwrap();
        let fault = read_model(&node).unwrap_err();
        assert_eq!(fault.line(), Some(3));
        assert_eq!(
            fault.message(),
            "unknown key `model.hiden`; did you mean `model.hidden`?"
        );
    }

    #[test]
    fn unknown_preset_suggests_the_nearest() {
        let fault = expanded("model.preset = \"smal\"").unwrap_err();
        assert_eq!(
            fault.message(),
            "`model.preset` cannot be `smal`; did you mean `small`?"
        );
    }
}
