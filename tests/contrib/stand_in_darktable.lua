-- A stand-in for the parts of darktable's Lua API that parastitch.lua uses. Run by test_darktable_script.py:
-- lua stand_in_darktable.lua SCRIPT TMP_DIR COMMAND CANCEL_AFTER FOLDER NAME...  Prints what a user would see, one event
-- a line. An image is exported as a copy of its file; CANCEL_AFTER exports the user cancels (0: never).

local script, tmp_dir, command, cancel_after, folder = table.unpack(arg, 1, 5)

local function tell(...)
  print(table.concat({ ... }, "\t"))
end

local function copy(from, to)
  local source, target = assert(io.open(from, "rb")), assert(io.open(to, "wb"))
  target:write(source:read("a"))
  source:close()
  target:close()
end

local preferences = {}
local exported, press, cancel, job = 0, nil, nil, nil

package.loaded.darktable = {
  configuration = {
    running_os = "linux", api_version_major = 9, version = "4.2.1", tmp_dir = tmp_dir, has_gui = true,
  },
  print = function(text) tell("told", text) end,
  print_log = function() end,
  preferences = {
    register = function(_, name, _, _, _, default) preferences[name] = default end,
    read = function(_, name) return preferences[name] end,
  },
  gui = {
    action_images = {},
    libs = { image = { register_action = function(_, _, callback) press = callback end } },
    create_job = function(_, _, on_cancel)
      cancel = on_cancel
      job = { valid = true, percent = 0 }
      return job
    end,
  },
  register_event = function() end,
  new_format = function(name)
    tell("format", name)
    return {
      write_image = function(self, image, path)
        tell("export", image.filename, self.bpp)
        copy(image.path .. "/" .. image.filename, path)
        exported = exported + 1
        if exported == tonumber(cancel_after) then cancel(job) end
        return false -- as API 9.3.0 does after a success
      end,
    }
  end,
  control = { execute = function(line) return os.execute(line) and 0 or 1 end },
  database = {
    import = function(path)
      tell("import", path)
      return { group_with = function(_, image) tell("group", image.filename) end }
    end,
  },
  tags = { create = function(name) return name end, attach = function(tag) tell("tag", tag) end },
}

dofile(script)
if command ~= "" then preferences.command = command end
local images = {}
for position = 6, #arg do
  table.insert(images, { path = folder, filename = arg[position] })
end
press("stitch panorama", images)
tell("job", job and tostring(job.valid) or "none")
