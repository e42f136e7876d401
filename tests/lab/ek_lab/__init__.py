"""The Evenkeel lab: real libvirt hosts in namespaces, for tests and the demo."""
