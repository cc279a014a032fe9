"""Recordings of streams: kept, looked at, cut, merged, and sent again."""
