"""readers/lattice"""
