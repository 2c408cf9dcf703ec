"""Ways to a person: a plain webhook, Apprise's services, and the dead-man ping."""
