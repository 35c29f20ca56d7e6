"""What the outside calls: schema in, one call into services, schema out."""
