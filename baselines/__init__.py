"""The paper's methods as plug-ins; the only part of vipbench that imports torch."""
