"""Workflow files run on this machine: GitHub's own parser and expressions, real bash, git and docker."""
