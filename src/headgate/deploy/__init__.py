"""The deployer: plans what a platform needs, does it in order, and proves that it is there."""
