CREATE TABLE daily (day date PRIMARY KEY, orders int NOT NULL);
