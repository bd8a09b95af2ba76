-- What a fold took as cut off by revocations: `<signer>/<epoch>/<size>`, several of them by a space. A fold that took another is begun anew.
ALTER TABLE folds ADD COLUMN cuts text NOT NULL DEFAULT '';
