// What an application does: assumes its IAM role, makes a token, connects as its database role.
import { readFileSync } from 'node:fs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import pg from 'pg';

const { AWS_REGION, POSTERN_ACCOUNT_ID, CLUSTER_ENDPOINT, PGHOST, PGPORT, PGSSLROOTCERT } = process.env;
const { Credentials } = await new STSClient().send(
  new AssumeRoleCommand({
    RoleArn: `arn:aws:iam::${POSTERN_ACCOUNT_ID}:role/orders-service`,
    RoleSessionName: 'check',
  }),
);
const signer = new DsqlSigner({
  hostname: CLUSTER_ENDPOINT,
  region: AWS_REGION,
  credentials: {
    accessKeyId: Credentials.AccessKeyId,
    secretAccessKey: Credentials.SecretAccessKey,
    sessionToken: Credentials.SessionToken,
  },
});
const client = new pg.Client({
  host: PGHOST,
  port: Number(PGPORT),
  database: 'postgres',
  user: 'orders',
  password: await signer.getDbConnectAuthToken(),
  ssl: { ca: readFileSync(PGSSLROOTCERT, 'utf8') },
});
await client.connect();
await client.query("INSERT INTO shop.orders VALUES (3, 'plums')");
const { rows } = await client.query(
  'SELECT current_user AS who, string_agg(item, $1 ORDER BY id) AS items FROM shop.orders',
  [', '],
);
console.log(`${rows[0].who}: ${rows[0].items}`);
await client.end();
