"""Who requires whom."""

from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from headgate.core.errors import ConfigurationError
from headgate.deploy.engine._component import Component


class Graph:
    """Components in an order in which each comes after all that it requires; otherwise as they were given."""

    def __init__(self, components: Sequence[Component]) -> None:
        """Raises `ValueError` for a name used twice, an unknown one, and components that require each other."""
        self._components = {component.name: component for component in components}
        if len(self._components) != len(components):
            raise ValueError("Two components have the same name.")
        for component in components:
            for name in component.requires:
                if name not in self._components:
                    raise ValueError(f"{component.name} requires {name}, which does not exist.")
        self._order = self._sorted([component.name for component in components])

    def _sorted(self, names: Sequence[str]) -> tuple[str, ...]:
        position = {name: index for index, name in enumerate(names)}
        sorter = TopologicalSorter({name: self._components[name].requires for name in names})
        try:
            sorter.prepare()
        except CycleError as error:
            raise ValueError(f"Components require each other: {' -> '.join(error.args[1])}.") from None
        found: list[str] = []
        ready = list(sorter.get_ready())
        while ready:
            ready.sort(key=position.__getitem__)
            name = ready.pop(0)
            found.append(name)
            sorter.done(name)
            ready.extend(sorter.get_ready())
        return tuple(found)

    def __iter__(self) -> Iterator[Component]:
        """Iterate in the order of creation."""
        return (self._components[name] for name in self._order)

    def __getitem__(self, name: str) -> Component:
        """Return the component of that name."""
        return self._components[name]

    def dependents(self, name: str) -> tuple[str, ...]:
        """Names of all that require this one, directly or through others, in the order of creation."""
        found = {name}
        for other in self._order:
            if found.intersection(self._components[other].requires):
                found.add(other)
        return tuple(other for other in self._order if other in found and other != name)

    def selected(self, names: Iterable[str]) -> frozenset[str]:
        """Return the names chosen by a user, all for none. Raises `ConfigurationError` for one that does not exist."""
        chosen = frozenset(names)
        if unknown := chosen - self._components.keys():
            known = ", ".join(self._order)
            raise ConfigurationError([f"There is no component {min(unknown)[:60]!r}; there are {known}."])
        return chosen or frozenset(self._order)
