import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { z } from 'zod'
import { CONFIG_FILE_BYTES_MAX } from '../../core/limits.ts'
import { ConfigError, resolveConfig, type ConfigSchema, type Layers } from './layers.ts'

/**
 * Reads the file, if one is named, and puts the layers together.
 * @throws {ConfigError} the file cannot be read or is no JSON, or the configuration breaks a rule
 */
export async function loadConfig<S extends ConfigSchema>(
  schema: S,
  filePath: string | undefined,
  layers: Omit<Layers, 'file'>,
): Promise<z.output<S>> {
  if (filePath === undefined) return resolveConfig(schema, layers)
  const path = resolve(layers.workingDirectory, filePath)
  return resolveConfig(schema, { ...layers, file: { path, value: await readJson(path) } })
}

async function readJson(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read (${reasonOf(error)})`])
  }
  if (text.length > CONFIG_FILE_BYTES_MAX) {
    throw new ConfigError([`${path}: over ${CONFIG_FILE_BYTES_MAX} bytes`])
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigError([`${path}: no valid JSON (${reasonOf(error)})`])
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
