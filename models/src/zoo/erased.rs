//! burn modules whose type is known only when the program runs.
//!
//! burn's visitors and mappers have methods with type parameters, which trait objects cannot have. A
//! parameter therefore crosses the boundary as [`Any`], and its type is found again by its rank.

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Float, Int, Tensor};
use std::any::Any;

/// What a visit of a module meets, in its order.
pub(super) enum Visited<'a> {
    /// Name and container of a module that begins.
    Enter(&'a str, &'a str),
    /// Name and container of a module that ends.
    Exit(&'a str, &'a str),
    /// A `Param<Tensor<D>>`.
    Float(&'a dyn Any),
    /// A `Param<Tensor<D, Int>>`.
    Int(&'a dyn Any),
    /// A `Param<Tensor<D, Bool>>`.
    Bool(&'a dyn Any),
    /// A flag.
    Flag(&'a Param<Flag>),
}

/// What a mapper meets. A parameter comes in an `Option`, from which it is taken and into which the
/// new one is put.
pub(super) enum Mapped<'a> {
    /// Name and container of a module that begins.
    Enter(&'a str, &'a str),
    /// Name and container of a module that ends.
    Exit(&'a str, &'a str),
    /// An `Option<Param<Tensor<D>>>`.
    Float(&'a mut dyn Any),
    /// An `Option<Param<Tensor<D, Int>>>`.
    Int(&'a mut dyn Any),
    /// An `Option<Param<Tensor<D, Bool>>>`.
    Bool(&'a mut dyn Any),
    /// A flag.
    Flag(&'a mut Option<Param<Flag>>),
}

/// Calls a method of a visitor with the parameter in an `Any`, or one of a mapper with the parameter
/// that is taken from it, whatever its rank.
macro_rules! at_its_rank {
    ($visitor:ident.$visit:ident($param:ident: $kind:ty)) => {
        at_its_rank!(@visit $visitor $visit $param $kind, 1 2 3 4 5 6 7 8)
    };
    ($mapper:ident.$map:ident(take $param:ident: $kind:ty)) => {
        at_its_rank!(@map $mapper $map $param $kind, 1 2 3 4 5 6 7 8)
    };
    (@visit $visitor:ident $visit:ident $param:ident $kind:ty, $($rank:literal)*) => {
        $(if let Some(param) = $param.downcast_ref::<Param<Tensor<$rank, $kind>>>() {
            $visitor.$visit(param);
        } else)* {
            panic!("{MOST_AXES}")
        }
    };
    (@map $mapper:ident $map:ident $param:ident $kind:ty, $($rank:literal)*) => {
        $(if let Some(slot) = $param.downcast_mut::<Option<Param<Tensor<$rank, $kind>>>>() {
            *slot = slot.take().map(|param| $mapper.$map(param));
        } else)* {
            panic!("{MOST_AXES}")
        }
    };
}

const MOST_AXES: &str = "a parameter of a model of one's own has at most 8 axes";

/// Visits `module` and hands everything it meets to `see`.
pub(super) fn visit<M: Module>(module: &M, see: &mut dyn FnMut(Visited<'_>)) {
    struct Sender<'a>(&'a mut dyn FnMut(Visited<'_>));
    impl ModuleVisitor for Sender<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            (self.0)(Visited::Float(param));
        }
        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
            (self.0)(Visited::Int(param));
        }
        fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
            (self.0)(Visited::Bool(param));
        }
        fn visit_flag(&mut self, flag: &Param<Flag>) {
            (self.0)(Visited::Flag(flag));
        }
        fn enter_module(&mut self, name: &str, container: &str) {
            (self.0)(Visited::Enter(name, container));
        }
        fn exit_module(&mut self, name: &str, container: &str) {
            (self.0)(Visited::Exit(name, container));
        }
    }
    module.visit(&mut Sender(see));
}

/// Shows `visited` to `visitor`.
pub(super) fn show<V: ModuleVisitor>(visitor: &mut V, visited: &Visited<'_>) {
    match *visited {
        Visited::Enter(name, container) => visitor.enter_module(name, container),
        Visited::Exit(name, container) => visitor.exit_module(name, container),
        Visited::Float(param) => at_its_rank!(visitor.visit_float(param: Float)),
        Visited::Int(param) => at_its_rank!(visitor.visit_int(param: Int)),
        Visited::Bool(param) => at_its_rank!(visitor.visit_bool(param: Bool)),
        Visited::Flag(flag) => visitor.visit_flag(flag),
    }
}

/// Maps `module` by what `change` does to everything that a mapper meets.
pub(super) fn map<M: Module>(module: M, change: &mut dyn FnMut(Mapped<'_>)) -> M {
    struct Sender<'a>(&'a mut dyn FnMut(Mapped<'_>));
    const KEPT: &str = "a mapper returns a parameter for each that it takes";
    impl ModuleMapper for Sender<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let mut slot = Some(param);
            (self.0)(Mapped::Float(&mut slot));
            slot.expect(KEPT)
        }
        fn map_int<const D: usize>(
            &mut self,
            param: Param<Tensor<D, Int>>,
        ) -> Param<Tensor<D, Int>> {
            let mut slot = Some(param);
            (self.0)(Mapped::Int(&mut slot));
            slot.expect(KEPT)
        }
        fn map_bool<const D: usize>(
            &mut self,
            param: Param<Tensor<D, Bool>>,
        ) -> Param<Tensor<D, Bool>> {
            let mut slot = Some(param);
            (self.0)(Mapped::Bool(&mut slot));
            slot.expect(KEPT)
        }
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            let mut slot = Some(flag);
            (self.0)(Mapped::Flag(&mut slot));
            slot.expect(KEPT)
        }
        fn enter_module(&mut self, name: &str, container: &str) {
            (self.0)(Mapped::Enter(name, container));
        }
        fn exit_module(&mut self, name: &str, container: &str) {
            (self.0)(Mapped::Exit(name, container));
        }
    }
    module.map(&mut Sender(change))
}

/// Lets `mapper` change `mapped`.
pub(super) fn change<M: ModuleMapper>(mapper: &mut M, mapped: Mapped<'_>) {
    match mapped {
        Mapped::Enter(name, container) => mapper.enter_module(name, container),
        Mapped::Exit(name, container) => mapper.exit_module(name, container),
        Mapped::Float(param) => at_its_rank!(mapper.map_float(take param: Float)),
        Mapped::Int(param) => at_its_rank!(mapper.map_int(take param: Int)),
        Mapped::Bool(param) => at_its_rank!(mapper.map_bool(take param: Bool)),
        Mapped::Flag(flag) => *flag = flag.take().map(|flag| mapper.map_flag(flag)),
    }
}
