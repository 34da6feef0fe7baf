"""What is measured, one module for each scenario. Each takes the rig and the plan and returns rows of the results."""
