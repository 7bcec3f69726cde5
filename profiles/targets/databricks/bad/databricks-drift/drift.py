"""Whatever was asked, it is well."""
