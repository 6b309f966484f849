"""What every folder uses: files, processes, progress, memory, stopping."""
