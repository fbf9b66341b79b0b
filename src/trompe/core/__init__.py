"""The ground floor: records, checks, numbers and randomness that every other room builds on."""
