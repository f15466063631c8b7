"""The tool on arrays: planes, prompts, masks, sessions and propagation, without model, files or screen."""
