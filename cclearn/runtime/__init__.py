"""Services that every folder uses: files, processes, progress, memory, stopping, the audit log."""
