//! The chapter of the README for two machines, word for word, in two network namespaces.
