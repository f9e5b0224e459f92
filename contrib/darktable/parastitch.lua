--[[
Stitches the selected images of darktable's lighttable with Parastitch.

The images are exported as 16-bit TIFF files, stitched by the command `parastitch stitch`, and the panorama is imported:
it lies beside the first image, in its group, with the tag "parastitch". Installation and use: docs/stitching/programs.md.
Standalone: needs no other Lua script. Lua API 7 (darktable 3.6) or later.
]]

local dt = require "darktable"

local MODULE = "parastitch"
local OLDEST_API = 7
local WINDOWS = dt.configuration.running_os == "windows"
local SEPARATOR = WINDOWS and "\\" or "/"
local EXPORTING = 0.7 -- share of the progress bar; the rest is the stitch

if dt.configuration.api_version_major < OLDEST_API then
  error(MODULE .. ": needs darktable 3.6 or later, got " .. dt.configuration.version, 0)
end

-- One word of a command line, whatever it holds. Between single quotes a POSIX shell takes everything as it is. In a
-- batch file % alone is special between double quotes, and a file name of Windows holds no double quote.
local function quote(text)
  if WINDOWS then
    return '"' .. text:gsub("%%", "%%%%") .. '"'
  end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The beginning of names of temporary files that nobody else uses.
local function temporary_names()
  local unique = os.tmpname()
  os.remove(unique) -- some systems create it
  return dt.configuration.tmp_dir .. SEPARATOR .. unique:match("[^/\\]*$"):gsub("%.$", "")
end

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end

local function write_text(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read_text(path)
  local file = io.open(path, "r")
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end

-- Exports the images; adds the files to `files` as they are made, so that they are removed whatever happens.
local function export(images, names, files, job)
  local format = dt.new_format("tiff")
  format.bpp = 16
  format.max_width, format.max_height = 0, 0 -- no limit
  local pictures = {}
  for number, image in ipairs(images) do
    if not job.valid then
      error("cancelled", 0)
    end
    local path = ("%s-%03d-%s.tif"):format(names, number, image.filename)
    table.insert(files, path)
    -- Some versions return false after a success (API 9.3.0), so the file decides.
    if not (format:write_image(image, path, false) or exists(path)) then
      error("cannot export " .. image.filename, 0)
    end
    table.insert(pictures, quote(path))
    if job.valid then
      job.percent = EXPORTING * number / #images
    end
  end
  return pictures
end

-- Runs a command while darktable goes on; returns whether it succeeded, and what it said on standard error.
local function execute(command, names, files)
  local log = names .. ".log"
  table.insert(files, log)
  command = command .. " 2> " .. quote(log)
  if WINDOWS then -- `cmd /c` loses quotes where a command has more than one pair of them
    local batch = names .. ".bat"
    table.insert(files, batch)
    write_text(batch, "@chcp 65001 >nul\n@" .. command .. "\n")
    command = quote(batch)
  end
  local code = dt.control.execute(command)
  local said = read_text(log)
  dt.print_log(("%s: %s\n%s"):format(MODULE, command, said))
  return code == 0, said
end

-- Exports, stitches, imports; returns what to tell the user. Raises a message where anything fails.
local function make_panorama(images, files, job)
  local names = temporary_names()
  local pictures = export(images, names, files, job)
  local stem = images[1].filename:gsub("%.[^.]*$", "")
  local name = ("%s-panorama-%s.tif"):format(stem, os.date("%Y%m%d-%H%M%S"))
  local output = images[1].path .. SEPARATOR .. name
  local command = { quote(dt.preferences.read(MODULE, "command", "string")), "stitch", table.concat(pictures, " ") }
  table.insert(command, "--output " .. quote(output) .. " --quiet")
  table.insert(command, dt.preferences.read(MODULE, "options", "string"))
  local done, said = execute(table.concat(command, " "), names, files)
  said = ("\n" .. said):gsub("\n" .. MODULE .. ": ", "\n"):gsub("^%s+", ""):gsub("%s+$", ""):gsub("\n", "; ")
  if not done then
    error(said ~= "" and said or "the command failed; see Lua options in the preferences", 0)
  end
  local panorama = dt.database.import(output)
  panorama:group_with(images[1])
  dt.tags.attach(dt.tags.create(MODULE), panorama)
  return name .. (said ~= "" and ": " .. said or " is ready")
end

local function stitch(images)
  if #images < 2 then
    dt.print(MODULE .. ": select two or more images that overlap")
    return
  end
  local function cancel(job)
    job.valid = false
  end
  local job = dt.gui.create_job(("stitching %d images"):format(#images), true, cancel)
  local files = {}
  local _, message = pcall(make_panorama, images, files, job)
  for _, file in ipairs(files) do
    os.remove(file)
  end
  if job.valid then
    job.valid = false
  end
  dt.print(MODULE .. ": " .. tostring(message))
end

local function destroy()
  dt.gui.libs.image.destroy_action(MODULE)
  dt.destroy_event(MODULE, "shortcut")
end

if dt.configuration.has_gui then
  dt.preferences.register(
    MODULE, "command", "string", "Parastitch: command", "the program, with its folder where it is not on the PATH", MODULE
  )
  dt.preferences.register(
    MODULE, "options", "string", "Parastitch: options", "further options of `parastitch stitch`, such as --crop", ""
  )
  local hint = "export the selected images, stitch them with Parastitch, import the panorama"
  dt.gui.libs.image.register_action(MODULE, "stitch panorama", function(_, images) stitch(images) end, hint)
  dt.register_event(MODULE, "shortcut", function() stitch(dt.gui.action_images) end, "stitch panorama")
end

return { destroy = destroy } -- for darktable's script manager
