"""Server-side apply: who owns which fields of a document, and what it means to apply one.

    sets.py ── field sets, in the form of fieldsV1          managers.py ── metadata.managedFields
    typed.py ── documents along their schema: fields, differences, removal      merge.py ── applied into present
    updater.py ── update and apply, on top of these         last_applied.py ── kubectl's way from client-side apply

Pure throughout. Which manager writes, what a subresource can reach and where the result is stored is `master/api/tracking.py`.
"""
