"""The main job in one command: train, certify, verify, guard an agent, look at the result."""
