INSERT INTO shop.orders VALUES (1, 'apples'), (2, 'pears');
