"""The unit of systemd that a build has: its lines, and the commands in them."""
import shlex


class Unit:
    """A unit file; keys that stand several times keep all their values."""

    def __init__(self, path):
        self.values = {}
        for line in path.read_text().splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                self.values.setdefault(key, []).append(value)

    def commands(self, key, programs, config):
        """The command lines of a key, with programs of the build and another configuration."""
        lines = []
        for value in self.values[key]:
            words = [str(config) if w == "/etc/evenkeel/evenkeel.yaml" else w
                     for w in shlex.split(value)]
            name = words[0].rpartition("/")[2]
            lines.append([programs.get(name, words[0]), *words[1:]])
        return lines
