import { describeOptions } from '../config/describe.ts';
import { HOSTS_FILE } from './hosts-file.ts';

export const OVERVIEW = `postern: token logins and IAM policies in front of a real PostgreSQL, as Aurora DSQL has them

  postern start [OPTION…]                     run the server until SIGINT or SIGTERM
  postern exec [OPTION…] -- COMMAND [ARG…]    run COMMAND with a private server that is thrown away afterwards
  postern env [--format shell|dotenv|json]    print the environment for the server that runs on the data directory
  postern token --user NAME [OPTION…]         make a token from the AWS credentials in the environment
  postern hosts [--write|--remove]            print or set the clusters' endpoints as lines of the hosts file
  postern why [CONNECTION_ID] [--json]        explain the last login attempt, or the named one, step by step
  postern why --user R --principal ARN        would this IAM user or role be let in as database role R?
  postern access [--json] [--fail-on LEVEL]   who can log in as which database role, what that may do, and what to mend
  postern backup --to DIR [--include-key]     copy everything while the server runs
  postern restore --from DIR --data-dir NEW   make a new data directory of a backup
  postern rotate-seal-key [--data-dir DIR]    seal all secrets under a new key, while no server runs
  postern audit verify [--data-dir DIR]       is the audit log as it was written? A server may run on it or not
  postern help [COMMAND]                      this, or more about a command
  postern --version

Exit status: 0 stopped as asked; 1 failed while running; 2 wrong usage or configuration.
`;

const CONFIGURATION = `
Each option can also be set as a variable (--pg-port: POSTERN_PG_PORT) and in postern.json ("pg-port": 5432).
Flags win over the environment, which wins over the file.
`;

/** The help of a command; undefined for a command that there is none of. */
export function describeCommand(command: string): string | undefined {
  switch (command) {
    case 'start':
      return `postern start [OPTION…]

Runs the server until SIGINT or SIGTERM: then nobody is let in any more, idle sessions are ended, and open transactions get
--shutdown-timeout; a second signal ends it at once. The first start creates the data directory, an account, its root access key, a
local CA and one cluster. SIGHUP reads the configuration and the certificates again.

${describeOptions('start')}
${CONFIGURATION}`;
    case 'exec':
      return `postern exec [OPTION…] -- COMMAND [ARG…]

Starts a private server on free ports, runs COMMAND with the environment of \`postern env\`, stops the server, removes its
data and exits with COMMAND's status.

${describeOptions('exec')}
${CONFIGURATION}`;
    case 'env':
      return `postern env [--data-dir DIR] [--format shell|dotenv|json]

Prints the environment with which psql, the AWS CLI, an SDK and a connector reach the server that runs on the data
directory. It contains the account root user's key and an admin token: it is for the operator.

  eval "$(postern env)"
`;
    case 'token':
      return `postern token --user NAME [--hostname HOST] [--region REGION] [--expires-in SECONDS]

Prints a token (the password of a connection) made from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
without asking the server. NAME admin gives an admin token, any other a token for custom database roles.

  --hostname HOST       the host that the token is for (CLUSTER_ENDPOINT, POSTERN_CLUSTER_HOSTNAME, PGHOST)
  --region REGION       (the region in --hostname, AWS_REGION, AWS_DEFAULT_REGION, or the region in HOST)
  --expires-in SECONDS  1 to 604800 (900)
`;
    case 'hosts':
      return `postern hosts [--data-dir DIR]
postern hosts --write|--remove [--file FILE] [--data-dir DIR]

Prints the endpoints of all clusters of the server that runs on the data directory, as lines of the hosts file: with them,
every cluster is reached by its own name, and \`postern env\` gives it as PGHOST. Run it again when clusters came or went.

  --write      set them in the file, between two comments that name the data directory; the rest of the file stays as it is
  --remove     take them out again; no server needs to run
  --file FILE  another file than ${HOSTS_FILE}
`;
    case 'audit':
      return `postern audit verify [--through NUMBER:SEAL] [--json] [--data-dir DIR]

Reads the whole audit log of the data directory and names every file and line where something was changed, removed,
inserted or moved, and what is missing at its end. A server may run on the directory or not. It needs the key that seals
the directory: seal.key in it, or POSTERN_SEAL_KEY.

  --through NUMBER:SEAL  a line that an earlier run printed as the last one: it must still be there. Finds a log that was
                         set back to an older copy of itself, which nothing in the directory can show
  --json                 the same as JSON

Exit status: 0 whole; 1 not as it was written, or there is none; 2 wrong usage.
`;
    case 'why':
      return `postern why [CONNECTION_ID] [--json] [--data-dir DIR]
postern why --user R --principal ARN [--cluster ID] [--json] [--data-dir DIR]

Tells step by step how the last login attempt went, or the one with this connection id (it stands in the server's log), what
each policy said, and the one thing to change. With --user and --principal it says whether a good token of that IAM user or
role would be let in as database role R now, without connecting. For the operator of the data directory only; a client is
told what the service tells.

  --json            the same as JSON
  --user R          a database role, such as admin
  --principal ARN   of an IAM user, an IAM role, a role's session or the account root user
  --cluster ID      (the default cluster)

Exit status: 0 let in; 1 refused, or there is no such attempt; 2 wrong usage.
`;
    case 'access':
      return `postern access [--cluster ID] [--principal ARN] [--role R] [--json] [--fail-on LEVEL] [--no-wake] [--data-dir DIR]

Tells who can log in as which database role of which cluster, through which policy statements, and under which conditions;
what these roles may do in the cluster's database; and what of it goes against the documented best practices. Decided as
logins are, by what is in force now. For the operator of the data directory only.

  --cluster ID      of this cluster only
  --principal ARN   of this IAM user or role, or the account root user, only
  --role R          of this database role only
  --json            the same as JSON
  --fail-on LEVEL   exit with 1 where there is a warning of this level or above: info, low, medium or high
  --no-wake         leave clusters that sleep alone: what their database says is then unknown

Exit status: 0 done; 1 there is a warning as --fail-on says; 2 wrong usage, or no review.
`;
    case 'backup':
      return `postern backup --to DIR [--include-key] [--data-dir DIR]

The server that runs on the data directory copies all of it into DIR, which must not be there yet, and goes on working: the
control database, the data of every cluster (those that sleep are woken), and the certificates. Each database is as of the
moment when its copying ended. The sealing key, without which the secrets in the backup open for nobody, is copied only with
--include-key; without it, keep seal.key or POSTERN_SEAL_KEY elsewhere.
`;
    case 'restore':
      return `postern restore --from DIR --data-dir NEW [--key-file FILE]

Verifies the backup in DIR, file by file, and makes of it the data directory NEW, which must not be there yet, or be empty.
--key-file is the sealing key's file, for a backup made without --include-key.
`;
    case 'rotate-seal-key':
      return `postern rotate-seal-key [--data-dir DIR]

Seals the secrets of all access keys under a new key, while no server runs on the data directory. The secrets themselves stay
what they are; temporary credentials (session tokens) end. Where the key is in the file seal.key, a new one is made and takes
its place; where it comes from POSTERN_SEAL_KEY, the new one must be in POSTERN_NEW_SEAL_KEY, and is the one to start the
server with afterwards. Cut off at any moment, it is finished by the next start, or by running it again.
`;
    default:
      return undefined;
  }
}
