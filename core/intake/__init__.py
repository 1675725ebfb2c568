"""A stranger's files: uploads kept and unpacked, weights recognised in a process of their own."""
