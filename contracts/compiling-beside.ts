import { availableParallelism } from 'node:os'
import type { SolidityCompilerConfig } from 'hardhat/types/config'
import type { HardhatPlugin } from 'hardhat/types/plugins'
import type { CompilerInput, CompilerOutput } from 'hardhat/types/solidity'

type Selection = CompilerInput['settings']['outputSelection']

/** Where Hardhat has the tests. */
const TESTS = 'project/test/'

/**
 * Has one job of Hardhat compiled by several compilers beside each other, one a core, each for a share of the contracts. What comes out is what
 * one compiler alone would give: each reads all sources, so that the numbers in the syntax trees are the same.
 *
 * A job with tests asks for the tests' code only: the contracts they name are a job of their own, with settings of their own.
 */
export const compilingBeside: HardhatPlugin = {
  id: 'liquefy-compiling-beside',
  hookHandlers: {
    config: async () => ({
      default: async () => ({
        resolveUserConfig: async (userConfig, resolveVariable, next) => {
          const config = await next(userConfig, resolveVariable)
          for (const { overrides } of Object.values(config.solidity.profiles)) shareEqual(overrides)
          return config
        },
      }),
    }),
    solidity: async () => ({
      default: async () => ({
        invokeSolc: async (context, compiler, input, config, next) => {
          const outputs = await Promise.all(
            sharesOf(input).map((outputSelection) =>
              next(
                context,
                compiler,
                { ...input, settings: { ...input.settings, outputSelection } },
                config,
              ),
            ),
          )
          return together(outputs)
        },
      }),
    }),
  },
}

/** Hardhat makes one job of files whose settings are the same object, and would make one a file of settings that are merely equal. */
function shareEqual(overrides: Record<string, SolidityCompilerConfig>): void {
  const first = new Map<string, SolidityCompilerConfig>()
  for (const [file, settings] of Object.entries(overrides)) {
    const key = JSON.stringify(settings)
    overrides[file] = first.get(key) ?? settings
    first.set(key, overrides[file])
  }
}

/**
 * What each compiler is asked for. The first gives the syntax trees, and nothing else: whoever asks for the tree of a file has all contracts
 * of the file compiled. The others get files by size, so that they end at about the same time.
 */
function sharesOf({ sources, settings }: CompilerInput): Selection[] {
  const { '': ofFile = [], '*': ofContract = [] } = settings.outputSelection['*'] ?? {}
  const names = Object.keys(sources)
  const tests = names.filter((name) => name.startsWith(TESTS))
  const wanted = tests.length > 0 ? tests : names
  const weightOf = (name: string) => sources[name]?.content.length ?? 0
  const shares = Array.from({ length: availableParallelism() }, () => ({
    weight: 0,
    selection: {} as Selection,
  }))
  for (const name of wanted.sort((a, b) => weightOf(b) - weightOf(a))) {
    const lightest = shares.reduce((a, b) => (b.weight < a.weight ? b : a))
    lightest.weight += weightOf(name)
    lightest.selection[name] = { '*': ofContract }
  }
  const used = shares.filter(({ weight }) => weight > 0).map(({ selection }) => selection)
  return [{ '*': { '': ofFile } }, ...used]
}

/** Syntax trees of the first, contracts of all; an error that several found is told once. */
function together(outputs: readonly CompilerOutput[]): CompilerOutput {
  const errors = outputs.flatMap((output) => output.errors ?? [])
  const told = new Map(errors.map((error) => [error.formattedMessage ?? error.message, error]))
  return {
    ...outputs[0],
    errors: [...told.values()],
    sources: outputs[0]?.sources ?? {},
    contracts: Object.assign({}, ...outputs.map(({ contracts }) => contracts)),
  }
}
