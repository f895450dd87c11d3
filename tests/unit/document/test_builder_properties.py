"""The builder does what a slow, plain model does, and fails without a trace."""

import json
from collections import Counter

import nbformat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtu_magics.document import NotebookBuilder, normalise_notebook, notebook_bytes
from rtu_magics.document.file_parts import PARKED
from rtu_magics.errors import SquashError
from rtu_magics.models import FileDeltaAdapter, FileDeltaBase, Notebook, parse_notebook

from .notebooks import PlainNotebook, Refused, deltas, notebooks

thorough = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
chains = st.one_of(st.lists(deltas, max_size=25), st.lists(deltas, min_size=12, max_size=30))


def state(builder: NotebookBuilder) -> tuple[object, ...]:
    return builder.dumps(), builder.last_applied_delta_id, frozenset(builder.deleted_cell_ids)


def squash(builder: NotebookBuilder, delta: FileDeltaBase) -> bool:
    try:
        builder.apply_delta(delta)
    except SquashError:
        return False
    return True


def test_the_builder_does_what_the_plain_model_does() -> None:
    counts: Counter[str] = Counter()

    @thorough
    @given(notebooks(), chains)
    def check(seed: Notebook, chain: list[FileDeltaBase]) -> None:
        builder, plain = NotebookBuilder(seed), PlainNotebook(seed)
        for delta in chain:
            squashed = squash(builder, delta)
            try:
                plain.apply(delta)
                assert squashed, delta
            except Refused:
                assert not squashed, delta
            counts[f"{type(delta).__name__} {'squashed' if squashed else 'refused'}"] += 1
        shown = json.loads(builder.dumps())
        for cell in shown["cells"]:
            cell.pop(PARKED, None)  # what a cell of another type would have
        assert shown == plain.content
        assert builder.last_applied_delta_id == plain.head
        assert builder.deleted_cell_ids == plain.deleted

    check()
    print(f"\nsquashing: {dict(sorted(counts.items()))}")
    kinds = {key.split()[0] for key in counts if key.endswith("squashed")}
    assert len(kinds) == 13, "every kind of delta was squashed at least once"


@thorough
@given(notebooks(), chains)
def test_a_delta_that_cannot_be_squashed_changes_nothing(
    seed: Notebook, chain: list[FileDeltaBase]
) -> None:
    builder = NotebookBuilder(seed)
    for delta in chain:
        before = state(builder)
        if not squash(builder, delta):
            assert state(builder) == before


@thorough
@given(notebooks(), chains, st.integers(0, 25))
def test_one_by_one_is_the_same_as_in_a_batch(
    seed: Notebook, chain: list[FileDeltaBase], cut: int
) -> None:
    watched = NotebookBuilder(seed)
    accepted = []
    for delta in chain:
        if squash(watched, delta):
            accepted.append(delta)
        # Whoever looks in between must not change what comes out.
        for index, cell in enumerate(watched.cells):
            assert watched.get_cell(cell.id) == (index, cell)
            assert watched.cell(cell.id) is watched.nb.cells[index]
        assert watched.cell_ids == [cell.id for cell in watched.nb.cells]
    batch = NotebookBuilder(seed)
    batch.apply_deltas(accepted)
    assert state(batch) == state(watched)
    # A snapshot in the middle of a chain is as good a start as its beginning.
    first = NotebookBuilder(seed)
    first.apply_deltas(accepted[:cut])
    second = NotebookBuilder(parse_notebook(first.dumps()))
    second.last_applied_delta_id = first.last_applied_delta_id
    second.deleted_cell_ids |= first.deleted_cell_ids
    second.apply_deltas(accepted[cut:])
    assert state(second) == state(watched)
    copied = first.copy()
    copied.apply_deltas(accepted[cut:])
    assert state(copied) == state(watched)


@thorough
@given(notebooks(), chains)
def test_the_builder_owns_its_cells(seed: Notebook, chain: list[FileDeltaBase]) -> None:
    untouched_seed = seed.model_dump_json()
    untouched_chain = [delta.model_dump_json() for delta in chain]
    builder = NotebookBuilder(seed)
    for delta in chain:
        squash(builder, delta)
    after_all = state(builder)
    assert seed.model_dump_json() == untouched_seed
    assert [delta.model_dump_json() for delta in chain] == untouched_chain
    for cell in [*seed.cells, *(d.properties.cell for d in chain if hasattr(d.properties, "cell"))]:
        cell.metadata["vandal"] = True
        cell.source = "vandal"
        if cell.cell_type == "code":
            cell.outputs.clear()
    seed.metadata["vandal"] = True
    assert state(builder) == after_all


@thorough
@given(notebooks(), chains)
def test_deltas_mean_the_same_after_a_trip_over_the_wire(
    seed: Notebook, chain: list[FileDeltaBase]
) -> None:
    here, there = NotebookBuilder(seed), NotebookBuilder(seed)
    for delta in chain:
        squash(here, delta)
        squash(there, FileDeltaAdapter.validate_json(delta.model_dump_json()))
    assert state(here) == state(there)


@settings(thorough, max_examples=100)
@given(notebooks(), chains)
def test_what_is_dumped_is_valid_and_reads_back_the_same(
    seed: Notebook, chain: list[FileDeltaBase]
) -> None:
    builder = NotebookBuilder(seed)
    for delta in chain:
        squash(builder, delta)
    dumped = builder.dumps()
    nbformat.validate(nbformat.reads(notebook_bytes(builder.nb).decode(), as_version=4))
    assert NotebookBuilder(parse_notebook(dumped)).dumps() == dumped
    assert NotebookBuilder(normalise_notebook(dumped)).dumps() == dumped
    assert json.loads(builder.dumps(indent=False)) == json.loads(dumped)
