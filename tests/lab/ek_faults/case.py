"""What a case is, and the list of all of them."""
from dataclasses import dataclass, field

CASES = {}


@dataclass
class Case:
    """One fault: how it is made, and what is right afterwards."""
    name: str
    text: str
    function: object
    group: str                      # cases that run together as one CTest
    ends: tuple                     # states in which the move may end
    again: bool = True              # the guest must be movable afterwards
    loses: bool = False             # the fault itself ends the guest
    gap_ms: int = 3000              # the longest silence of the guest that is right
    guest: tuple = ()               # options of `guest add`
    timeouts: dict = field(default_factory=dict)   # keys of evenkeel.yaml's section `timeouts`
    settings: str = ""              # more lines of evenkeel.yaml
    migration: dict = field(default_factory=dict)  # keys of the policy's section `migration`
    limits: dict = field(default_factory=dict)
    uris: str = "tcp"               # how hosts are reached: tcp, tls, or names
    own_redis: bool = False         # a server that a case may stop and kill
    running: int = 1                # copies that may run at once
    guests: int = 1

    def names(self):
        """Its guests: vm, or vm1, vm2 and so on."""
        return ["vm"] if self.guests == 1 else [f"vm{i}" for i in range(1, self.guests + 1)]


def case(name, text, **options):
    """Register the decorated function as a case."""
    def register(function):
        assert name not in CASES, name
        CASES[name] = Case(name=name, text=text, function=function, **options)
        return function
    return register


def chosen(names, group):
    """The cases that a command line asks for, in the order of their definition.

    A name stands for its variants, too: T5 for T5a and T5b."""
    found = []
    for one in CASES.values():
        stem = one.name.rstrip("abcdefgh")
        if (not names or one.name in names or stem in names) and group in (None, one.group):
            found.append(one)
    known = {c.name for c in CASES.values()} | {c.name.rstrip("abcdefgh") for c in CASES.values()}
    unknown = [n for n in names if n not in known]
    return found, unknown
