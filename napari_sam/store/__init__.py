"""Every byte the tool keeps on disk: cached embeddings and session folders. No torch."""

from __future__ import annotations

from napari_sam.store.cache import EmbeddingStore, StoreStats
from napari_sam.store.embeddings import Embedding, embedding_key
from napari_sam.store.journal import Journal, PendingSession, pending_sessions
from napari_sam.store.saved_session import SavedSession
from napari_sam.store.session_file import ModelReference, SessionFolder

__all__ = [
    "Embedding",
    "EmbeddingStore",
    "Journal",
    "ModelReference",
    "PendingSession",
    "SavedSession",
    "SessionFolder",
    "StoreStats",
    "embedding_key",
    "pending_sessions",
]
