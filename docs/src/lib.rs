//! Pages whose programs are run and whose tables are held against what arrives.
