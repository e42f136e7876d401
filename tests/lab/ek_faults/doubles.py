"""Doubles: definitions and domains of the guest's name on hosts where it might go."""
import uuid
from xml.etree import ElementTree

import libvirt

from ek_faults.case import case
from ek_faults.stage import NAME, TERMINAL, Failure


def definition(stage, source, identity=None):
    """The guest's definition, perhaps under another UUID, that writes into other files."""
    text = stage.eyes.link(source).lookupByName(NAME).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    text = text.replace(f"/heartbeat/{NAME}.log", "/heartbeat/double.log")
    text = text.replace(f"/control/{NAME}.sock", "/control/double.sock")
    tree = ElementTree.fromstring(text)
    if identity is not None:
        tree.find("uuid").text = identity
    return ElementTree.tostring(tree, encoding="unicode")


def defined_elsewhere(stage, identity):
    """Define the guest on all hosts but its own; what takes that back."""
    source = stage.where()[NAME]
    text = definition(stage, source, identity)
    made = [stage.eyes.link(h.name).defineXML(text) for h in stage.others(source)]

    def take_back():
        for domain in made:
            try:
                if not domain.isActive():
                    domain.undefine()
            except libvirt.libvirtError:
                pass            # gone: a migration has replaced it
    return take_back


@case("T21a", "another guest of that name is defined on every destination", group="doubles",
      ends=("rejected",))
def foreign_definition(stage):
    """Refused by the checks, before anything is begun."""
    take_back = defined_elsewhere(stage, str(uuid.uuid4()))
    stage.hit()
    try:
        move = stage.order()
        move.reaches(*TERMINAL)
        return move
    finally:
        take_back()


@case("T21b", "an old definition of the guest is on every destination", group="doubles",
      ends=("done",))
def old_definition(stage):
    """The same guest's: replaced by the one that arrives."""
    take_back = defined_elsewhere(stage, None)
    stage.hit()
    try:
        move = stage.order()
        move.reaches(*TERMINAL, seconds=60)
        return move
    finally:
        take_back()


@case("T21c", "the guest runs on two hosts when it is to move", group="doubles", ends=())
def running_double(stage):
    """It is left where it is: nobody can tell which of them is right."""
    source = stage.where()[NAME]
    other = stage.others(source)[0].name
    double = stage.eyes.link(other).createXML(definition(stage, source), 0)
    stage.hit()
    try:
        stage.until("a word on the double", lambda: "left alone until one host drops it" in
                    stage.log.read_text(errors="replace"), 20)
        stage.journal.set(f"evenkeel:maintenance:{source}", "a fault is tried")
        stage.until("an evacuation that says that it cannot", lambda: stage.maintenance(source) in
                    ("blocked", "infeasible"), 20)
        stage.read_steps(1)
        if stage.steps:
            raise Failure(f"something was moved: {stage.steps}")
    finally:
        double.destroy()
