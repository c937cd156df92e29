CREATE SCHEMA shop;

CREATE TABLE shop.orders (
  id int PRIMARY KEY,
  item text NOT NULL
);

GRANT USAGE ON SCHEMA shop TO orders, reader;
GRANT SELECT, INSERT ON shop.orders TO orders;
GRANT SELECT ON shop.orders TO reader;
