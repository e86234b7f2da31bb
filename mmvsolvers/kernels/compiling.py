"""How all kernels are compiled, and where compiled code is kept."""

import ast
import gc
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numba
from llvmlite.binding import Linkage, newpassmanagers
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typed_passes import AnnotateTypes, InlineOverloads, NopythonRewrites
from numba.core.untyped_passes import DeadBranchPrune, InlineClosureLikes, InlineInlinables, WithLifting

# Functions of more than so many characters of LLVM's assembly are never put into their callers: most of LLVM's time
# went into them, over and over.
LONG = 9_000
# Numba's passes for what is not in kernels.
UNNEEDED = {WithLifting, InlineClosureLikes, InlineInlinables, DeadBranchPrune, InlineOverloads, NopythonRewrites}


@cache
def _imported(source: Path) -> frozenset[Path]:
    """Return the kernel sources that a source imports: those beside it, or beside this file."""
    folders = (source.parent, Path(__file__).parent)
    names = [getattr(sys.modules.get(name), "__file__", None) for name in _imported_names(source)]
    files = [Path(name) for name in names if name]
    return frozenset(file for file in files if file.parent in folders and file.name != "__init__.py")


def _imported_names(source: Path) -> Iterator[str]:
    """Yield what the modules may be called that a source imports at its top."""
    for statement in ast.parse(source.read_bytes()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)


@cache
def _digest(source: Path) -> str:
    """Return a digest of all sources that functions of a source may be compiled from."""
    found, new = set(), {source}
    while new:
        found |= new
        new = {file for known in new for file in _imported(known)} - found
    # by folder too: files of the same name would come in the order of their hashes, another in every process
    parts = sorted((file.parts[-2:], file) for file in found)
    contents = ["/".join(name).encode() + b"\0" + file.read_bytes() for name, file in parts]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


class KernelCache(FunctionCache):
    """Numba's cache on disk, of the very sources that the code was made of, and done without wherever it fails.

    Numba knows a function by the time of its own file alone, while the code that it compiles takes in functions of
    other files, and a copy of a file has another time.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _digest(Path(function.__code__.co_filename))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return compiled code, or None where there is none or it cannot be read."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # Whatever a damaged file unpickles to: begin a new one.
            self._without_failing(self.flush)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code if the disk takes it."""
        self._without_failing(super().save_overload, sig, data)

    @staticmethod
    def _without_failing(action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception:
            # A full or read-only disk, another process's half-written index: the code stays in memory.
            return


class _Library(JITCodeLibrary):
    """The code of a function and of the short ones that it calls.

    Numba puts into it all that is called, down to the last, and optimises that once more. What is too long to become a
    part of its caller's loops stands apart here until it is put together.
    """

    # Whether code is being put together here, and not by Numba for a function of others.
    at_work = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.called: list[Any] = []

    def finalize(self) -> None:
        """Put the code together, of the parts what is their own."""
        before, _Library.at_work = _Library.at_work, True
        try:
            super().finalize()
        finally:
            _Library.at_work = before

    def add_linking_library(self, library: Any) -> None:
        """Take in the code of a function that this one calls, if it is short."""
        library._ensure_finalized()
        self.called.append(library)
        if not _is_long(library):
            super().add_linking_library(library)

    def _optimize_functions(self, module: Any) -> None:
        # Numba does all that it can here, to no end: it is done again with the short functions taken in. Variables
        # must be values by then, or loops stay scalar.
        if not hasattr(self._codegen, "_pass_builder"):
            # an LLVM before 20 has other passes
            super()._optimize_functions(module)
            return
        module.data_layout = self._codegen._data_layout
        passes = newpassmanagers.create_new_function_pass_manager()
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        builder = self._codegen._pass_builder()
        for function in module.functions:
            if not function.is_declaration:
                passes.run(function, builder)


class PartLibrary(_Library):
    """The code of a function that only other compiled functions call: never turned into machine code by itself.

    Numba translates a function with all that it calls once for every function on the way down. Here this happens once,
    in the function that Python calls. Each is optimised by itself all the same: taken together, they are too large for
    LLVM to make vectors of their loops and to drop their counts of references, and a tenth slower.
    """

    class _Codegen:
        @staticmethod
        def set_env(name: str, environment: Any) -> None:
            """Do nothing: the environment is for calls from Python, and there is no code to put its address into."""

    @property
    def codegen(self) -> Any:
        """Where Numba puts the environment of a function that it has translated."""
        return self._Codegen

    @cached_property
    def is_long(self) -> bool:
        """Whether the function is too long to be a part of another."""
        own = [function for function in self.get_defined_functions() if function.linkage == Linkage.external]
        return max((len(str(function)) for function in own), default=0) > LONG

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        own = super()._get_module_for_linking()
        return own if _Library.at_work else self._with_all_below

    @cached_property
    def _with_all_below(self) -> Any:
        """The code with what stands apart from it: a function of Numba's may be called by other people's, too."""
        module = super()._get_module_for_linking().clone()
        for library in filter(_is_long, _callers_first(self)[1:]):
            module.link_in(super(PartLibrary, library)._get_module_for_linking(), preserve=True)
        return module

    def get_pointer_to_function(self, name: str) -> int:
        """Return the null pointer."""
        self._ensure_finalized()
        return 0


class EntryLibrary(_Library):
    """The code of a function that Python calls, and in the end of all that it calls."""

    def _optimize_final_module(self) -> None:
        super()._optimize_final_module()
        for library in filter(_is_long, _callers_first(self)):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._spare_arguments()

    def _spare_arguments(self) -> None:
        """Let nothing be handed over that is not used.

        An array is seven numbers and more, of which few are, and a call with a few tuples of arrays writes hundreds.
        """
        if not hasattr(self._codegen, "_pass_builder"):
            # an LLVM before 20
            return
        for function in self._final_module.functions:
            # private, as Numba's engine takes an internal function for any other of its name; what Python calls stays
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = Linkage.private
        passes = newpassmanagers.create_new_module_pass_manager()
        passes.add_dead_arg_elimination_pass()
        passes.run(self._final_module, self._codegen._pass_builder())


def _is_long(library: Any) -> bool:
    return isinstance(library, PartLibrary) and library.is_long


def _callers_first(library: Any) -> list[Any]:
    """Return a library and all below it, each after those that call it: what nobody calls yet would not be linked."""
    found: dict[Any, None] = {}

    def visit(one: Any) -> None:
        if one not in found:
            for called in getattr(one, "called", ()):
                visit(called)
            found[one] = None

    visit(library)
    return list(found)[::-1]


@register_pass(mutates_CFG=False, analysis_only=True)
class _IntoOwnLibrary(LoweringPass):
    _name = "into_own_library"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        state.library = EntryLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


@contextmanager
def _parts_only(context: Any) -> Iterator[None]:
    """Let whatever is compiled meanwhile become a part of its callers, without a wrapper for C."""
    codegen = context.codegen()
    codegen._library_class = PartLibrary
    context.create_cfunc_wrapper = lambda *arguments: None
    try:
        yield
    finally:
        # what the classes have is found again
        del codegen._library_class, context.create_cfunc_wrapper


@contextmanager
def _functions_by_type(context: Any) -> Iterator[None]:
    """Let functions be handed to functions without their addresses, with which code cannot be kept on disk.

    Their types say which they are.
    """
    address_of = context.add_dynamic_addr

    def address(builder: Any, value: int, info: str) -> Any:
        if info == CPUDispatcher.__name__:
            return context.get_constant_null(types.voidptr)
        return address_of(builder, value, info)

    context.add_dynamic_addr = address
    try:
        yield
    finally:
        del context.add_dynamic_addr


@contextmanager
def _in_haste() -> Iterator[None]:
    """Spare Numba a tenth of its time: looks for garbage among all that it makes, and comparisons of its options."""
    collecting, values = gc.isenabled(), Flags.values
    defaults = {name: option.default for name, option in Flags.options.items()}
    gc.disable()
    Flags.values = lambda flags: defaults | flags._values  # type: ignore[method-assign]
    try:
        yield
    finally:
        Flags.values = values  # type: ignore[method-assign]
        if collecting:
            gc.enable()


class _PartCompiler(CompilerBase):
    """Compiles without looking for what kernels do not contain: closures, contexts, branches on None, array sums."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [one for one in passes.passes if one[0] not in UNNEEDED]
        passes.finalize()
        return [passes]


class _EntryCompiler(_PartCompiler):
    """Compiles a function for Python, and all that it calls, Numba's own functions too, into parts of it."""

    def define_pipelines(self) -> list[Any]:
        [passes] = super().define_pipelines()
        passes.add_pass_after(_IntoOwnLibrary, AnnotateTypes)
        passes.finalize()
        return [passes]

    def _compile_core(self) -> Any:
        context = cpu_target.target_context
        # what is compiled for this function has copies of the context, and the function one of before
        by_type = (_functions_by_type(context), _functions_by_type(self.state.targetctx))
        with global_compiler_lock, _parts_only(context), by_type[0], by_type[1], _in_haste():
            return super()._compile_core()


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile, with Numba, a function that other compiled functions call, together with each of these.

    Division by zero gives inf or NaN, as in NumPy, and no exception: none may leave a parallel loop.
    """
    options = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, **options}

    def compiled(function: Callable[..., Any]) -> Any:
        def refuse(*arguments: Any, **named: Any) -> None:
            raise TypeError(f"{function.__qualname__} is called by compiled code only; see py_func")

        def of_any_number(arguments: Any, named: Any) -> Any:
            # Numba would compile once more for every constant that a variable begins with
            return call_template(
                [types.unliteral(one) for one in arguments], {key: types.unliteral(named[key]) for key in named}
            )

        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return function
        dispatcher = numba.njit(pipeline_class=_PartCompiler, **options)(function)
        call_template, dispatcher.get_call_template = dispatcher.get_call_template, of_any_number
        # Numba would jump to the null pointer
        dispatcher._compile_for_args = refuse
        dispatcher._insert = lambda *arguments, **named: None
        return dispatcher

    return compiled


def entry(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile, with Numba, a function that Python calls, at the first call, and keep the result on disk.

    It is kept in memory where no disk can be written. Other threads run Python meanwhile. Division by zero gives inf
    or NaN, as in `njit`.
    """
    options = {"error_model": "numpy", "no_cfunc_wrapper": True, "nogil": True, **options}

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(pipeline_class=_EntryCompiler, **options)(function)
        try:
            dispatcher._cache = KernelCache(function)
        except (RuntimeError, OSError):
            # Neither the package's folder nor the user's cache is writable, or no source is there to be read.
            return dispatcher
        return dispatcher

    return compiled
