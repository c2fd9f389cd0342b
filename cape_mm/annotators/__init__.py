"""Inside the tools that people annotate with: Label Studio and CVAT."""
