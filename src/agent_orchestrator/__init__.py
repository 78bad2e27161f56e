"""Agent Orchestrator."""
