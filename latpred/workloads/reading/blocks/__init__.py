"""What nodes are together: attention, branches that meet again, blocks, and the stages of a network."""
