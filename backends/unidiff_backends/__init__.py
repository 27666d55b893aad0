"""The official backends: ordinary plugins, found through entry points like anyone's."""
