-- Who people are before the law, as it stands on invoices: written by each about himself, shown to himself and on invoices to who has an agreement with him.
CREATE TABLE parties (
  address      bytea  PRIMARY KEY,
  name         text   NOT NULL,
  street       text   NOT NULL,
  postcode     text   NOT NULL,
  city         text   NOT NULL,
  country      text   NOT NULL,
  vat_id       text,
  tax_number   text,
  registration text,
  vat_category text   NOT NULL CHECK (vat_category IN ('S', 'AE', 'E', 'O')),
  vat_rate     text,
  vat_reason   text
);
