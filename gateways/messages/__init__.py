"""Those who carry messages: one file per provider, each a `domain.ports.Messenger`."""
