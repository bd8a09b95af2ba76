-- Invoices of final periods, as they were issued: a number has one content, whatever changes afterwards. Private to the agreement's two parties.
CREATE TABLE invoices (
  agreement_id bytea  NOT NULL,
  period       int    NOT NULL,
  correction   int    NOT NULL CHECK (correction >= 0), -- 0: the first; n replaces n - 1
  issued_ms    bigint NOT NULL,
  xml          text   NOT NULL,
  PRIMARY KEY (agreement_id, period, correction)
);
