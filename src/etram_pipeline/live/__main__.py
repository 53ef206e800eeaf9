"""Runs the command: `python -m etram_pipeline.live DETECTOR SOURCE`."""

from etram_pipeline.live.command import main

if __name__ == "__main__":
    main()
