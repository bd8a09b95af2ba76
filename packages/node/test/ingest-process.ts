/**
 * Ingest of a node as a process of its own, to be killed: `node ingest-process.ts <data folder> <MQTT port>`. Writes
 * `ready` when it listens.
 */
import { openDatabase } from '../src/store/database.ts'
import { silent, startIngest } from './ingest-fixture.ts'

const [dataDir = '', port = '0'] = process.argv.slice(2)
const database = await openDatabase({ dataDir, logger: silent })
await startIngest({ database, port: Number(port) })
process.stdout.write('ready')
