import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ConfigurationError
from headgate.deploy.engine import Graph
from tests.deploy.engine.world import Part


def names(graph: Graph) -> list[str]:
    return [component.name for component in graph]


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    """Components in any order, each requiring some of those with a lower number."""
    count = draw(st.integers(1, 9))
    made = [
        Part(f"c{number}", tuple(f"c{other}" for other in range(number) if draw(st.booleans())))
        for number in range(count)
    ]
    return draw(st.permutations(made))


@given(parts())
def test_each_comes_after_all_that_it_requires(made: list[Part]) -> None:
    order = names(Graph(made))
    assert sorted(order) == sorted(part.name for part in made)
    for part in made:
        assert all(order.index(required) < order.index(part.name) for required in part.requires)


@given(parts())
def test_dependents_are_those_that_lead_back(made: list[Part]) -> None:
    graph = Graph(made)
    for part in made:
        for dependent in graph.dependents(part.name):
            assert part.name in graph[dependent].requires or any(
                part.name in graph[middle].requires or middle in graph.dependents(part.name)
                for middle in graph[dependent].requires
            )
        for other in made:
            if part.name in other.requires:
                assert other.name in graph.dependents(part.name)


def test_what_is_independent_keeps_its_order() -> None:
    made = [Part("z"), Part("a"), Part("m", ("z",)), Part("b")]
    assert names(Graph(made)) == ["z", "a", "m", "b"]


def test_components_that_require_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="require each other: "):
        Graph([Part("a", ("b",)), Part("b", ("c",)), Part("c", ("a",))])


def test_an_unknown_requirement_is_refused() -> None:
    with pytest.raises(ValueError, match="a requires b, which does not exist"):
        Graph([Part("a", ("b",))])


def test_a_name_is_used_once() -> None:
    with pytest.raises(ValueError, match="same name"):
        Graph([Part("a"), Part("a")])


def test_a_component_that_does_not_exist_can_not_be_chosen() -> None:
    graph = Graph([Part("a"), Part("b")])
    assert graph.selected([]) == {"a", "b"}
    assert graph.selected(["b"]) == {"b"}
    with pytest.raises(ConfigurationError, match="no component 'c'; there are a, b"):
        graph.selected(["a", "c"])
