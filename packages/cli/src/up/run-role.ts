import { startRole } from '@liquefy/node'
import type { Context } from '../context.ts'
import { openLogger } from '../logger.ts'
import { builtPage, type UpOptions } from './run-node.ts'
import { untilStopped } from './until-stopped.ts'

/** Starts one process of several that are a node together; stops it in order when asked to. */
export async function runRole(context: Context, options: UpOptions): Promise<void> {
  const { folder, out } = context
  const stopped = untilStopped()
  const { demo, ...settings } = options
  if (demo) out.say('A demo runs on a node that does everything: --demo is left out.')
  const running = await startRole({
    ...settings,
    ...builtPage(),
    dataDir: folder,
    logger: openLogger(),
  })
  const { role, url } = running
  out.result({ role, ...(url ? { url } : {}) }, () =>
    url ? `${role} is at ${url}` : `${role} runs`,
  )
  await stopped
  out.say('Stopping…')
  await running.stop()
}
