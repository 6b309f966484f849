"""The YAML files that notes are made of: facts, coding policies, templates and phrases."""
