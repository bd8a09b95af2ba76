import { type Client, createClient } from '@liquefy/client'
import type { Command } from 'commander'
import { dataFolder, nodeUrl } from './data-folder.ts'
import { type Output, openOutput } from './output.ts'

/** What every command has. */
export interface Context {
  folder: string
  json: boolean
  out: Output
  /** The node that runs on the folder. @throws CliError `NODE_NOT_RUNNING`. */
  node: () => Client
}

export function contextOf(command: Command): Context {
  const options = command.opts<{ json?: boolean; dataDir?: string }>()
  const folder = dataFolder(options.dataDir)
  const json = options.json ?? false
  return { folder, json, out: openOutput(json), node: () => createClient({ url: nodeUrl(folder) }) }
}
