"""Champion against challenger, label by label: a sequential test that may be looked at after every one. Pure."""
